//! What the lines of every raw file look like: all that the matrix needs to know to break them.

/// How a file's lines end.
#[derive(Clone, Copy, PartialEq)]
pub enum Ends {
    /// Each in a line feed.
    LineFeed,
    /// The same; a carriage return may stand before it.
    CarriageReturn,
    /// The last one need not.
    LastOpen,
}

/// A file of lines of fields.
#[derive(Clone, Copy)]
pub struct Fields {
    pub separator: &'static str,
    /// Whether the first line names the columns.
    pub header: bool,
    pub ends: Ends,
    /// Fields (from 0) of which every text is one that they can have.
    pub free: &'static [usize],
    /// Fields that must occur in another file: which, a value that could but does not, and the file (a part of its name).
    pub ids: &'static [(usize, &'static str, &'static str)],
    /// What is said of a line that is there again; none where it may be.
    pub again: Option<&'static str>,
    /// Whether other files refer to its lines: of others the first ones are enough for a test.
    pub referred: bool,
}

/// What a file is.
pub enum Format {
    Fields(Fields),
    /// A JSON object per line, the file compressed where its name says so.
    Json,
}

const LINES: Fields = Fields {
    separator: ",",
    header: false,
    ends: Ends::LineFeed,
    free: &[],
    ids: &[],
    again: None,
    referred: false,
};
const TABLE: Fields = Fields { header: true, ..LINES };
const AGAIN: Option<&str> = Some("again (first in line ");
/// One per user or item, which rows refer to.
const NAMED: Fields = Fields { again: AGAIN, referred: true, ..LINES };
const NAMED_TABLE: Fields = Fields { header: true, ..NAMED };

const NONE: &str = "9999999";
const NO_INDEX: &str = "feedfeedfeedfeed";

/// The format of a loader's file. A file that is not known here makes the matrix fail: it has not been tried yet.
pub fn of(file: &str) -> Format {
    let repeated = Some("a second rating of movie ");
    Format::Fields(match file {
        // MovieLens-1M and -100K.
        "ratings.dat" => Fields {
            separator: "::",
            again: repeated,
            ids: &[(0, NONE, "users.dat"), (1, NONE, "movies.dat")],
            ..LINES
        },
        "users.dat" | "movies.dat" => Fields { separator: "::", ..NAMED },
        "u.data" => Fields {
            separator: "\t",
            again: repeated,
            ids: &[(0, NONE, "u.user"), (1, NONE, "u.item")],
            ..LINES
        },
        "u.user" => Fields { separator: "|", ..NAMED },
        // Title, video release date, URL.
        "u.item" => Fields { separator: "|", free: &[1, 3, 4], ..NAMED },

        // Taobao display ads; a user need not have a profile.
        "raw_sample.csv" => Fields { ids: &[(2, NONE, "ad_feature.csv")], ..TABLE },
        "ad_feature.csv" | "user_profile.csv" => NAMED_TABLE,

        // CIKM 2019; users and items need not be in their files.
        "user_behavior.csv" => LINES,
        "user.csv" | "item.csv" => NAMED,

        // KuaiRand.
        _ if file.starts_with("log_") => {
            Fields { ids: &[(0, NONE, "user_features"), (1, NONE, "video_features")], ..TABLE }
        }
        _ if file.starts_with("user_features") || file.starts_with("video_features_basic") => NAMED_TABLE,

        // Douban. Users and items have numbers in a known range, and no files.
        _ if file.starts_with("douban_") && file.ends_with(".csv") => {
            Fields { ends: Ends::CarriageReturn, ..TABLE }
        }
        "douban_music/ratings.dat" | "douban_book/ratings.dat" | "douban_movie/ratings.dat" => {
            Fields { separator: "\t", ends: Ends::LastOpen, ..LINES }
        }

        // The stand-ins for industrial logs.
        "impressions.csv" => Fields { ids: &[(1, NONE, "users.csv"), (5, NONE, "items.csv")], ..TABLE },
        "users.csv" | "items.csv" => NAMED_TABLE,
        "histories.csv" => Fields { ids: &[(0, NONE, "users.csv"), (2, NONE, "items.csv")], ..TABLE },

        // Ali-CCP.
        "sample_skeleton_train.csv" => Fields { ids: &[(3, NO_INDEX, "common_features_train.csv")], ..LINES },
        "sample_skeleton_test.csv" => Fields { ids: &[(3, NO_INDEX, "common_features_test.csv")], ..LINES },
        "common_features_train.csv" | "common_features_test.csv" => NAMED,

        // Amazon.
        _ if file.starts_with("reviews_") => return Format::Json,
        _ if file.starts_with("ratings_") => LINES,
        _ => panic!("{file}: say here what its lines look like, so that the matrix can break them"),
    })
}

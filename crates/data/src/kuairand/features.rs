//! The features that a dataset file can list.
use super::{USER_COLUMNS, VIDEO_COLUMNS};
use crate::config::values::check_names;
use crate::{Checked, Role};

/// Where a feature's values come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    UserId,
    VideoId,
    /// Place of the row's tab among the dataset's.
    Tab,
    /// 0 to 23, in China.
    Hour,
    /// Whether the row is of the random log.
    IsRand,
    /// This column of the users' table.
    User(usize),
    /// This column of the videos' table.
    Video(usize),
    /// Length of the video, in classes.
    Duration,
    /// The first of the video's tags.
    FirstTag,
    /// All tags of the video, their mean.
    Tags,
}

/// Columns of the logs that say what came of the row. They are labels or as good as labels, never features.
pub(super) const OUTCOMES: [&str; 11] = [
    "is_click",
    "is_like",
    "is_follow",
    "is_comment",
    "is_forward",
    "is_hate",
    "long_view",
    "play_time_ms",
    "profile_stay_time",
    "comment_stay_time",
    "is_profile_enter",
];

/// Features that are no column of the tables, or not as it is.
const OTHERS: [(&str, Role, Source); 8] = [
    ("user_id", Role::User, Source::UserId),
    ("item_id", Role::Item, Source::VideoId),
    ("domain", Role::Scenario, Source::Tab),
    ("hour", Role::Context, Source::Hour),
    ("is_rand", Role::Context, Source::IsRand),
    ("duration", Role::Item, Source::Duration),
    ("tag", Role::Item, Source::FirstTag),
    ("tags", Role::Item, Source::Tags),
];

/// Whether a column of the users' table holds categories; the others are numbers of which there is a range beside them,
/// and one that is always 0.
pub(super) fn is_user_category(name: &str) -> bool {
    name.ends_with("_range")
        || name.starts_with("onehot_feat")
        || ["user_active_degree", "is_live_streamer", "is_video_author"].contains(&name)
}

/// Columns of the videos' table that hold categories.
pub(super) const VIDEO_CATEGORIES: [&str; 5] =
    ["author_id", "video_type", "upload_type", "music_id", "music_type"];

/// All features, in the order in which messages list them.
fn all() -> impl Iterator<Item = (&'static str, Role, Source)> {
    let users = USER_COLUMNS.iter().enumerate().filter(|(_, name)| is_user_category(name));
    let videos = VIDEO_COLUMNS.iter().enumerate().filter(|(_, name)| VIDEO_CATEGORIES.contains(name));
    OTHERS
        .into_iter()
        .chain(users.map(|(i, name)| (*name, Role::User, Source::User(i))))
        .chain(videos.map(|(i, name)| (*name, Role::Item, Source::Video(i))))
}

/// The names of all features.
fn offered() -> impl Iterator<Item = &'static str> {
    all().map(|f| f.0)
}

/// Whether there are such features, none of which is an outcome.
pub(super) fn check(features: &[String]) -> Checked<()> {
    if let Some(name) = features.iter().find(|f| OUTCOMES.contains(&f.as_str())) {
        let why =
            format!("{name} is an outcome of the row that is to be predicted, so it can never be a feature");
        return Err(("features", why));
    }
    check_names("features", features, &offered().collect::<Vec<_>>(), &["user_id", "item_id"])
}

/// Whether a behaviour can have these: such of the features as describe the video.
pub(super) fn check_behaviours(behaviours: &[String], features: &[String]) -> Checked<()> {
    let of_video = all().filter(|f| f.1 == Role::Item).map(|f| f.0);
    let offered: Vec<&str> = of_video.filter(|name| features.iter().any(|f| f == name)).collect();
    check_names("behaviours", behaviours, &offered, &["item_id"])
}

/// Role and source of the feature called `name`, one of those that are offered.
pub(super) fn find(name: &str) -> (Role, Source) {
    let (_, role, source) = all().find(|f| f.0 == name).expect("a dataset file's features are checked");
    (role, source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kuairand::LOG_COLUMNS;

    #[test]
    fn no_outcome_is_offered() {
        assert!(OUTCOMES.iter().all(|o| LOG_COLUMNS.contains(o) && offered().all(|f| f != *o)));
        // Of the logs' columns from the first outcome on, these are none.
        let rest: Vec<&str> = LOG_COLUMNS[5..].iter().filter(|c| !OUTCOMES.contains(c)).copied().collect();
        assert_eq!(rest, ["duration_ms", "is_rand", "tab"]);
        assert_eq!(offered().collect::<std::collections::HashSet<_>>().len(), 8 + 25 + 5);
    }
}

//! KuaiRand: short videos with clicks and long views, from the app's own recommendations (the standard logs) and from
//! random exposure (the random log), with tables of users and videos.
//!
//! Files have a header line and commas; a field that contains a comma stands between double quotes. The table of video
//! statistics is not read: it counts over the whole month, test rows included. `parse` gives the raw tables, `view`
//! turns them into the columns of the features that the dataset file lists, `sequence` adds behaviour sequences.
mod codes;
mod features;
mod log;
mod memory;
pub mod sequence;
mod users;
mod videos;
pub mod view;

pub(crate) use users::Users;
pub(crate) use videos::{DURATIONS, Videos, duration_bucket};

use crate::Result;
use crate::raw::RawFiles;
use log::Log;
use serde::{Deserialize, Serialize};

/// Raised whenever this module makes other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// The official versions; they differ in size and in the files' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// 27,285 users and the 7,583 videos of the random log.
    #[serde(rename = "pure")]
    Pure,
    /// 1,000 users and all their videos.
    #[serde(rename = "1k")]
    K1,
    /// 27,285 users and all their videos; the standard logs are in two parts each.
    #[serde(rename = "27k")]
    K27,
}

impl Layout {
    /// Names of the files: the standard logs in order of time, the random log, users, videos.
    pub const fn files(self) -> &'static [&'static str] {
        match self {
            Layout::Pure => &[
                "log_standard_4_08_to_4_21_pure.csv",
                "log_standard_4_22_to_5_08_pure.csv",
                "log_random_4_22_to_5_08_pure.csv",
                "user_features_pure.csv",
                "video_features_basic_pure.csv",
            ],
            Layout::K1 => &[
                "log_standard_4_08_to_4_21_1k.csv",
                "log_standard_4_22_to_5_08_1k.csv",
                "log_random_4_22_to_5_08_1k.csv",
                "user_features_1k.csv",
                "video_features_basic_1k.csv",
            ],
            Layout::K27 => &[
                "log_standard_4_08_to_4_21_27k_part1.csv",
                "log_standard_4_08_to_4_21_27k_part2.csv",
                "log_standard_4_22_to_5_08_27k_part1.csv",
                "log_standard_4_22_to_5_08_27k_part2.csv",
                "log_random_4_22_to_5_08_27k.csv",
                "user_features_27k.csv",
                "video_features_basic_27k.csv",
            ],
        }
    }

    /// The logs among the files.
    pub fn logs(self) -> &'static [&'static str] {
        &self.files()[..self.files().len() - 2]
    }

    /// The tables of users and videos among the files.
    pub fn tables(self) -> &'static [&'static str] {
        &self.files()[self.files().len() - 2..]
    }
}

/// How many tabs (screens of the app) there are; they are numbered from 0.
const TABS: usize = 15;

/// The line of each file that holds its first row.
const FIRST_LINE: usize = 2;

/// The columns of the files, in order.
pub(crate) const LOG_COLUMNS: [&str; 19] = [
    "user_id",
    "video_id",
    "date",
    "hourmin",
    "time_ms",
    "is_click",
    "is_like",
    "is_follow",
    "is_comment",
    "is_forward",
    "is_hate",
    "long_view",
    "play_time_ms",
    "duration_ms",
    "profile_stay_time",
    "comment_stay_time",
    "is_profile_enter",
    "is_rand",
    "tab",
];
pub(crate) const USER_COLUMNS: [&str; 31] = [
    "user_id",
    "user_active_degree",
    "is_lowactive_period",
    "is_live_streamer",
    "is_video_author",
    "follow_user_num",
    "follow_user_num_range",
    "fans_user_num",
    "fans_user_num_range",
    "friend_user_num",
    "friend_user_num_range",
    "register_days",
    "register_days_range",
    "onehot_feat0",
    "onehot_feat1",
    "onehot_feat2",
    "onehot_feat3",
    "onehot_feat4",
    "onehot_feat5",
    "onehot_feat6",
    "onehot_feat7",
    "onehot_feat8",
    "onehot_feat9",
    "onehot_feat10",
    "onehot_feat11",
    "onehot_feat12",
    "onehot_feat13",
    "onehot_feat14",
    "onehot_feat15",
    "onehot_feat16",
    "onehot_feat17",
];
pub(crate) const VIDEO_COLUMNS: [&str; 12] = [
    "video_id",
    "author_id",
    "video_type",
    "upload_dt",
    "upload_type",
    "visible_status",
    "video_duration",
    "server_width",
    "server_height",
    "music_id",
    "music_type",
    "tag",
];

/// The raw tables.
pub(crate) struct Tables {
    pub log: Log,
    pub users: Users,
    pub videos: Videos,
}

/// Parses the tables of users and videos.
pub(crate) fn parse_tables(layout: Layout, raw: &RawFiles) -> Result<(Users, Videos)> {
    let (users, videos) = (raw.file(layout.tables()[0]), raw.file(layout.tables()[1]));
    Ok((Users::parse(&users.path, &users.bytes)?, Videos::parse(&videos.path, &videos.bytes)?))
}

/// Parses all files of a raw folder; of the logs only the rows of these tabs are kept.
fn parse(layout: Layout, raw: &RawFiles, tabs: &[u8]) -> Result<Tables> {
    let (users, videos) = parse_tables(layout, raw)?;
    let logs: Vec<_> = layout.logs().iter().map(|name| raw.file(name)).collect();
    let log = Log::parse(layout, &logs, &users, &videos, tabs)?;
    Ok(Tables { log, users, videos })
}

//! Taobao display advertising (Ali_Display_Ad_Click): impressions of ads with clicks, ads, user profiles.
//!
//! Three files with a header line, comma-separated. The fourth, `behavior_log.csv`, is not read. `parse` gives the raw
//! tables; `csdm` turns them into the columns that CVAR and CSDM use.
mod ads;
mod csdm;
mod samples;
mod users;

use crate::config::LoaderKeys;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::Simulator;
use crate::view::Loaded;
use crate::{Checked, CountRows, Loader, Result};
use ads::Ads;
use samples::Samples;
use serde::{Deserialize, Serialize};
use users::Users;

/// Raised whenever this module makes other columns of the same files: old caches no longer count.
pub(crate) const VERSION: u32 = 1;

/// The files with the impressions, the ads and the users.
pub(crate) const FILES: [&str; 3] = ["raw_sample.csv", "ad_feature.csv", "user_profile.csv"];

/// The line of each file that holds its first row.
const FIRST_LINE: usize = 2;

/// The columns of the files, in order.
pub(crate) const SAMPLE_COLUMNS: [&str; 6] = ["user", "time_stamp", "adgroup_id", "pid", "nonclk", "clk"];
pub(crate) const AD_COLUMNS: [&str; 6] =
    ["adgroup_id", "cate_id", "campaign_id", "customer", "brand", "price"];
/// The official file has a blank behind the last name.
pub(crate) const USER_COLUMNS: [&str; 9] = [
    "userid",
    "cms_segid",
    "cms_group_id",
    "final_gender_code",
    "age_level",
    "pvalue_level",
    "shopping_level",
    "occupation",
    "new_user_class_level",
];

/// Stands for a missing value. Other values are kept plus one.
const MISSING: u32 = 0;

/// What is made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Which rows the item count counts.
    pub count: CountRows,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        Ok(Loader::TaobaoAd(self))
    }
}

impl Format for Settings {
    fn outcomes(&self) -> &'static [&'static str] {
        &["clk", "nonclk"]
    }

    fn count(&self) -> Option<CountRows> {
        Some(self.count)
    }

    fn simulator(&self) -> Simulator {
        Simulator::TaobaoAd
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(csdm::view(parse(raw)?)))
    }
}

/// The raw tables, in file order.
pub(crate) struct Tables {
    pub samples: Samples,
    pub ads: Ads,
    pub users: Users,
}

/// Parses the three files of a raw folder.
pub(crate) fn parse(raw: &RawFiles) -> Result<Tables> {
    let [samples, ads, users] = FILES.map(|name| raw.file(name));
    let users = Users::parse(&users.path, &users.bytes)?;
    let ads = Ads::parse(&ads.path, &ads.bytes)?;
    let samples = Samples::parse(&samples.path, &samples.bytes, &ads)?;
    Ok(Tables { samples, ads, users })
}

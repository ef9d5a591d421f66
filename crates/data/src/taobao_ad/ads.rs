//! `ad_feature.csv`: category, campaign, advertiser, brand and price of each ad.
use super::{AD_COLUMNS, FIRST_LINE, MISSING};
use crate::Result;
use crate::ids::{MAX_ID, RowOf};
use crate::text::{Bad, Fields, parse_table, show};
use std::path::Path;

/// What the official file has in place of a missing value.
const NULL: &[u8] = b"NULL";

/// The ads, in file order.
#[derive(Default)]
pub(crate) struct Ads {
    id: Vec<u32>,
    /// `cate_id`, `campaign_id`, `customer`, `brand`, each plus one; 0 where it is missing, which only a brand can be.
    pub codes: [Vec<u32>; 4],
    /// 0 where it is missing, as in the released programs.
    pub price: Vec<f64>,
    row_of: RowOf,
}

impl Ads {
    /// The row of the ad with this raw id.
    pub fn row(&self, id: u32) -> Option<usize> {
        self.row_of.get(id)
    }

    pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Ads> {
        let mut all = Ads::default();
        for mut p in parse_table(file, bytes, &AD_COLUMNS, line)? {
            all.id.append(&mut p.id);
            all.price.append(&mut p.price);
            for (all, p) in all.codes.iter_mut().zip(&mut p.codes) {
                all.append(p);
            }
        }
        all.row_of = RowOf::unique(file, "ad", FIRST_LINE, &all.id)?;
        Ok(all)
    }
}

fn line(out: &mut Ads, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b",");
    let id = f.id("the ad id")?;
    let category = f.id("the category id")? + 1;
    let campaign = f.id("the campaign id")? + 1;
    let customer = f.id("the customer id")? + 1;
    let brand = match f.missing(NULL) {
        true => MISSING,
        false => f.number("the brand id (or NULL)", 0, MAX_ID)? as u32 + 1,
    };
    let price = price(&mut f)?;
    f.end("the price")?;
    out.id.push(id);
    out.price.push(price);
    for (codes, code) in out.codes.iter_mut().zip([category, campaign, customer, brand]) {
        codes.push(code);
    }
    Ok(())
}

fn price(f: &mut Fields) -> std::result::Result<f64, Bad> {
    if f.missing(NULL) || f.missing(b"") {
        return Ok(0.0);
    }
    let column = f.column();
    let expected = "the price, a decimal number from 0";
    let field = f.text(expected)?;
    let price = std::str::from_utf8(field).ok().and_then(|t| t.parse::<f64>().ok());
    let good = price.filter(|p| p.is_finite() && field[0].is_ascii_digit());
    good.ok_or_else(|| Bad { column, found: show(field), expected: expected.into() })
}

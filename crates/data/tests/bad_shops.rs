//! Broken files of Taobao display ads and CIKM 2019, message by message.
use crate::common::{line, message, shop};

#[track_caller]
fn expect(loader: &str, file: &str, edit: impl Fn(Vec<u8>) -> Vec<u8>, want: &str) {
    assert_eq!(message(&shop(loader), file, edit), format!("{file}:{want}"));
}

/// Line `n` is `text`; the message begins with that line.
#[track_caller]
fn check(loader: &str, file: &str, n: usize, text: &str, want: &str) {
    expect(loader, file, line(n, text), &format!("{n}:{want}"));
}

#[test]
fn headers() {
    let check = |file, text: &str, want: &str| check("taobao_ad", file, 1, text, want);
    check(
        "raw_sample.csv",
        "user,time_stamp,adgroup_id,pid,noclk,clk",
        "32: found \"noclk\", expected the header's column nonclk",
    );
    check(
        "raw_sample.csv",
        "user,time_stamp,adgroup_id,pid,clk,nonclk",
        "32: found \"clk\", expected the header's column nonclk",
    );
    check(
        "raw_sample.csv",
        "user,time_stamp,adgroup_id,pid,nonclk",
        "38: found the end of the line, expected the header's column clk",
    );
    check(
        "raw_sample.csv",
        "user,time_stamp,adgroup_id,pid,nonclk,clk,hour",
        "43: found an extra field, \"hour\", expected the end of the line after the header's last column",
    );
    check(
        "raw_sample.csv",
        "42,1494114965,15,430548_1007,1,0",
        "1: found \"42\", expected the header's column user",
    );
    check("ad_feature.csv", "", "1: found an empty line, expected the header's column adgroup_id");
    check(
        "user_profile.csv",
        "userid,cms_segid\r",
        "17: found a carriage return, expected lines that end in a single line feed, as in the official file",
    );
}

#[test]
fn impressions() {
    let check = |n, text: &str, want: &str| check("taobao_ad", "raw_sample.csv", n, text, want);
    let id = "a whole number from 0 to 1000000000";
    check(2, "4x,1494114965,15,430548_1007,1,0", &format!("1: found \"4x\", expected the user id, {id}"));
    check(3, "-4,1494114965,15,430548_1007,1,0", &format!("1: found \"-4\", expected the user id, {id}"));
    check(3, "5,1494114965,,430548_1007,1,0", &format!("14: found an empty field, expected the ad id, {id}"));
    let time = "the time in seconds since 1970, a whole number from 631152000 to 4102444800";
    check(3, "5,149411496,15,430548_1007,1,0", &format!("3: found \"149411496\", expected {time}"));
    check(3, "5,1494114965,15,430548_1007,1,2", "31: found \"2\", expected clk, a whole number from 0 to 1");
    let one = "expected exactly one of nonclk and clk to be 1";
    check(3, "5,1494114965,15,430548_1007,1,1", &format!("31: found nonclk 1 and clk 1, {one}"));
    check(23, "5,1494114965,15,430548_1007,0,0", &format!("31: found nonclk 0 and clk 0, {one}"));
    check(3, "5,1494114965,15,430548_1007,1", "30: found the end of the line, expected clk, a whole number");
    check(
        3,
        "5,1494114965,15,430548_1007,1,0,9",
        "33: found an extra field, \"9\", expected the end of the line after clk",
    );
    check(
        5,
        "5,1494114965,15,430550_1007,1,0",
        "17: found \"430550_1007\", expected one of the two positions \"430548_1007\" and \"430539_1007\"",
    );
    check(
        2,
        "5,1494114965,15,,1,0",
        "17: found an empty field, expected the position, for example \"430548_1007\"",
    );
    check(
        20,
        "5,1494114965,98,430548_1007,1,0",
        "14: found \"98\", expected an id that occurs in ad_feature.csv",
    );
    check(7, "", "1: found an empty line, expected the user id, a whole number");
    check(
        4,
        "5,1494114965,15,430548_1007,1,0\r",
        "32: found a carriage return, expected lines that end in a single line feed, as in the official file",
    );
}

#[test]
fn a_third_position_in_a_later_chunk() {
    // More than the piece of a file that is parsed at a time.
    let many = |mut bytes: Vec<u8>| {
        for _ in 0..50_000 {
            bytes.extend(b"5,1494114965,15,430548_1007,1,0\n");
        }
        bytes.extend(b"5,1494114965,15,430550_1007,1,0\n");
        bytes
    };
    let want = "50024:17: found \"430550_1007\", expected one of the two positions \"430548_1007\" and \"430539_1007\"";
    expect("taobao_ad", "raw_sample.csv", many, want);
}

#[test]
fn ads() {
    let check = |n, text: &str, want: &str| check("taobao_ad", "ad_feature.csv", n, text, want);
    let id = "a whole number from 0 to 1000000000";
    check(4, "99,1,2,3,NULL,1.0", "1: found ad 99 again (first in line 3), expected one line per ad");
    check(4, "15,1,2,,NULL,1.0", &format!("8: found an empty field, expected the customer id, {id}"));
    check(4, "15,NULL,2,3,NULL,1.0", &format!("4: found \"NULL\", expected the category id, {id}"));
    check(4, "15,1,2,3,,1.0", &format!("10: found an empty field, expected the brand id (or NULL), {id}"));
    check(4, "15,1,2,3,null,1.0", &format!("10: found \"null\", expected the brand id (or NULL), {id}"));
    for bad in ["12,5", "x", "-1.0", "inf", "NaN", "1.0 ", "1e999"] {
        let price = bad.split(',').next().unwrap();
        let line = format!("15,1,2,3,4,{bad}");
        let want = match bad {
            "12,5" => {
                "15: found an extra field, \"5\", expected the end of the line after the price".to_string()
            }
            _ => format!("12: found \"{price}\", expected the price, a decimal number from 0"),
        };
        check(4, &line, &want);
    }
    check(4, "15,1,2,3,4", "11: found the end of the line, expected the price, a decimal number from 0");
}

#[test]
fn profiles() {
    let check = |n, text: &str, want: &str| check("taobao_ad", "user_profile.csv", n, text, want);
    check(3, "5,17,3,2,3,,3,0,4", "1: found user 5 again (first in line 2), expected one line per user");
    check(3, "42,17,3,3,3,,3,0,4", "9: found \"3\", expected final_gender_code, a whole number from 1 to 2");
    check(3, "42,17,3,2,7,,3,0,4", "11: found \"7\", expected age_level, a whole number from 0 to 6");
    check(3, "42,17,3,2,3,4,3,0,4", "13: found \"4\", expected pvalue_level, a whole number from 1 to 3");
    check(
        3,
        "42,,3,2,3,,3,0,4",
        "4: found an empty field, expected cms_segid, a whole number from 0 to 9999",
    );
    check(
        3,
        "42,17,3,2,3,,3,0",
        "17: found the end of the line, expected new_user_class_level, a whole number",
    );
    check(
        3,
        "42,17,3,2,3,,3,0,5",
        "18: found \"5\", expected new_user_class_level, a whole number from 1 to 4",
    );
    check(
        3,
        "42,17,3,2,3,,3,0,,",
        "19: found an extra field, an empty field, expected the end of the line after new_user_class_level",
    );
}

#[test]
fn behaviours() {
    let check = |n, text: &str, want: &str| check("cikm_ecomm", "user_behavior.csv", n, text, want);
    let time = "the time in seconds, of day 0 to 15, a whole number from 0 to 1382399";
    check(2, "6,17,clk,134623", "6: found \"clk\", expected one of the behaviours pv, cart, fav, buy");
    check(2, "6,17,,134623", "6: found an empty field, expected one of the behaviours pv, cart, fav, buy");
    check(2, "6,17,buy,1382400", &format!("10: found \"1382400\", expected {time}"));
    check(2, "6,17,buy,-1", &format!("10: found \"-1\", expected {time}"));
    check(
        2,
        "6,17,buy",
        "9: found the end of the line, expected the time in seconds, of day 0 to 15, a whole number",
    );
    check(2, "6,item,buy,0", "3: found \"item\", expected the item id, a whole number from 0 to 1000000000");
    check(
        1,
        "user,item,behaviour,time",
        "1: found \"user\", expected the user id, a whole number from 0 to 1000000000",
    );
    check(2, "6,17,buy,0,1", "12: found an extra field, \"1\", expected the end of the line after the time");
    check(
        2,
        "6,17,buy,0\r",
        "11: found a carriage return, expected lines that end in a single line feed, as in the official file",
    );
}

#[test]
fn users_and_items() {
    let users = |n, text: &str, want: &str| check("cikm_ecomm", "user.csv", n, text, want);
    users(3, "73,0,27,2", "1: found user 73 again (first in line 2), expected one line per user");
    users(3, "501,2,27,5", "5: found \"2\", expected the gender, a whole number from 0 to 1");
    users(3, "501,1,270,5", "7: found \"270\", expected the age in years, a whole number from 0 to 150");
    users(
        3,
        "501,1,27,",
        "10: found an empty field, expected the level of purchasing power, a whole number from 0 to 999",
    );
    users(
        3,
        "501,1,27,5,6",
        "12: found an extra field, \"6\", expected the end of the line after user id,gender,age,purchasing power",
    );
    let items = |n, text: &str, want: &str| check("cikm_ecomm", "item.csv", n, text, want);
    items(2, "88213,1,2,3", "1: found item 88213 again (first in line 1), expected one line per item");
    items(2, "5,1,2", "6: found the end of the line, expected the brand id, a whole number");
    items(2, "5,1,x,3", "5: found \"x\", expected the shop id, a whole number from 0 to 1000000000");
}

#[test]
fn the_sister_set_is_recognised() {
    let want = "found a tabulator: this looks like the sister set UBP (Tianchi competition 231719), expected fields \
                separated by commas, as in EUIR (competition 231721)";
    for (file, text, column) in [
        ("user_behavior.csv", "12\t88213\tclk\t20190610\n", 3),
        ("user.csv", "1200045\t1\t3\t5\t6\t7\t8\n", 8),
        ("item.csv", "5\t1\t2\t3\t99.5\n", 2),
    ] {
        expect("cikm_ecomm", file, |_| text.into(), &format!("1:{column}: {want}"));
    }
}

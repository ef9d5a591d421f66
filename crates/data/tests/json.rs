//! The JSON forms of loaders and simulators, which fingerprints and stored runs hold: they stay as they are.
use crate::common::shipped;

/// Datasets of all loaders with the forms of their loaders, of long ones what comes before the features, and of the simulators.
const FORMS: [(&str, &str, &str); 14] = [
    (
        "movielens-1m-cold",
        r#"{"movielens":{"layout":"1m","positive_from":4,"count":"all"}}"#,
        r#"{"movielens":{"layout":"1m","positive_from":4}}"#,
    ),
    (
        "movielens-100k-cold",
        r#"{"movielens":{"layout":"100k","positive_from":4,"count":"all"}}"#,
        r#"{"movielens":{"layout":"100k","positive_from":4}}"#,
    ),
    (
        "movielens-1m-age-joined",
        r#"{"movielens_age":{"order":"joined"}}"#,
        r#"{"movielens":{"layout":"1m","positive_from":4}}"#,
    ),
    (
        "movielens-1m-sequence",
        r#"{"movielens_sequence":{"max_len":50}}"#,
        r#"{"movielens":{"layout":"1m","positive_from":4}}"#,
    ),
    ("taobao-ad-cold", r#"{"taobao_ad":{"count":"all"}}"#, r#""taobao_ad""#),
    ("cikm-2019-cold", r#"{"cikm_ecomm":{"count":"all"}}"#, r#""cikm_ecomm""#),
    (
        "kuairand-pure",
        r#"{"kuairand":{"layout":"pure","tabs":[0,1,4],"features":["#,
        r#"{"kuairand":{"layout":"pure"}}"#,
    ),
    (
        "kuairand-pure-sequence",
        r#"{"kuairand_sequence":{"layout":"pure","tabs":[1,0,4,2,6],"features":["#,
        r#"{"kuairand":{"layout":"pure"}}"#,
    ),
    (
        "douban-partial",
        r#"{"douban_splits":{"layout":"without_movie_train"}}"#,
        r#"{"douban_splits":{"layout":"without_movie_train"}}"#,
    ),
    ("douban-raw", r#"{"douban_ratings":{"thin":"first_two"}}"#, r#""douban_ratings""#),
    (
        "amazon-5core",
        r#"{"amazon":{"thin":"two_per_part","valid_from":1393632000,"test_from":1398902400}}"#,
        r#""amazon""#,
    ),
    (
        "lazada-12-plain",
        r#"{"industrial":{"market":"lazada-12","tailored":false,"features":["#,
        r#"{"industrial":{"market":"lazada-12","tailored":false}}"#,
    ),
    (
        "ali-ccp",
        r#"{"ali_ccp":{"min_count":10,"combinations":"id_and_value","behaviours":{"histories":{"per_channel":12,"value":true}}}}"#,
        r#""ali_ccp""#,
    ),
    (
        "ali-ccp-clicks",
        r#"{"ali_ccp":{"min_count":10,"combinations":"id_and_value","behaviours":{"clicks":{"max_len":50}}}}"#,
        r#""ali_ccp""#,
    ),
];

#[test]
fn forms_stay_as_they_are() {
    for (name, loader, simulator) in FORMS {
        let config = shipped(name);
        let own = serde_json::to_string(&config.loader).unwrap();
        assert_eq!(&own[..loader.len()], loader, "{name}");
        assert!(own.len() == loader.len() || loader.ends_with("\"features\":["), "{name}: {own}");
        assert_eq!(serde_json::to_string(&config.loader.simulator()).unwrap(), simulator, "{name}");
        assert_eq!(serde_json::from_str::<scenarec_data::Loader>(&own).unwrap(), config.loader, "{name}");
    }
}

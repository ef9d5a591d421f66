//! Alibaba's sets, from Tianchi: an account is needed, so they are had by hand.
use super::files;
use crate::official::{Access, Entry};
use crate::{ali_ccp, cikm_ecomm, taobao_ad};

pub(super) const TAOBAO_AD: Entry = Entry {
    folder: "taobao-ad",
    home: "https://tianchi.aliyun.com/dataset/56",
    terms: "Tianchi's: research only, no redistribution",
    cite: "the Tianchi page (Ali_Display_Ad_Click, Alibaba)",
    files: &files(&taobao_ad::FILES, [1_088_061_000, 31_287_000, 24_057_000]),
    instead: &[],
    access: Access::ByHand {
        steps: &[
            "log in at https://tianchi.aliyun.com/dataset/56 (Ali_Display_Ad_Click; an account is free) and accept the terms",
            "download raw_sample.csv.tar.gz, ad_feature.csv.tar.gz and user_profile.csv.tar.gz (behavior_log.csv.tar.gz, 23 GB \
             when unpacked, is not needed)",
            "unpack each with tar -xzf and put raw_sample.csv, ad_feature.csv and user_profile.csv into data/raw/taobao-ad",
        ],
    },
};

pub(super) const ALI_CCP: Entry = Entry {
    folder: "ali-ccp",
    home: "https://tianchi.aliyun.com/dataset/408",
    terms: "Tianchi's: research only, no redistribution",
    cite: "Ma et al., Entire Space Multi-Task Model: An Effective Approach for Estimating Post-Click Conversion Rate, SIGIR 2018",
    files: &files(&ali_ccp::FILES, [10_000_000_000, 10_000_000_000, 8_000_000_000, 10_000_000_000]),
    instead: &[],
    access: Access::ByHand {
        steps: &[
            "log in at https://tianchi.aliyun.com/dataset/408 (Ali-CCP; an account is free) and accept the terms",
            "download sample_train.tar.gz and sample_test.tar.gz; unpacked they take 38 GB",
            "unpack both with tar -xzf and put sample_skeleton_train.csv, common_features_train.csv, sample_skeleton_test.csv \
             and common_features_test.csv into data/raw/ali-ccp",
        ],
    },
};

pub(super) const CIKM_2019: Entry = Entry {
    folder: "cikm2019-ecomm",
    home: "https://tianchi.aliyun.com/competition/entrance/231721/information",
    terms: "the competition's and Tianchi's: research only, no redistribution",
    cite: "the competition: CIKM 2019 EComm AI, Efficient and Novel Item Retrieval for Large-scale Online Shopping Recommendation",
    files: &files(&cikm_ecomm::FILES, [0; 3]),
    instead: &[],
    access: Access::ByHand {
        steps: &[
            "log in at https://tianchi.aliyun.com/competition/entrance/231721/information (EUIR; an account is free), accept the \
             rules and open the list of data (competition 231719, UBP, is another one)",
            "download the training set of round 1, ECommAI_EUIR_round1_train_20190701, which is likely to be the one that CSDM \
             used; round 2's, ECommAI_EUIR_round2_train_20190816, has the same format and more rows",
            "unpack it and put its user_behavior.csv, user.csv and item.csv into data/raw/cikm2019-ecomm",
        ],
    },
};

//! KuaiRand, from Zenodo. The authors print the archives' MD5, and the sizes of the files rounded.
use super::files;
use crate::kuairand::Layout;
use crate::official::{Access, Archive, Checksum, Content, Entry, Members};

const FROM: &str = "https://zenodo.org/records/10439422/files/";

pub(super) const PURE: Entry = Entry {
    folder: "kuairand-pure",
    home: "https://kuairand.com",
    terms: "CC BY-SA 4.0",
    cite: "Gao et al., KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed Videos, CIKM 2022, doi \
           10.1145/3511808.3557624",
    files: &files(Layout::Pure.files(), [80_000_000, 21_000_000, 83_000_000, 3_519_028, 626_669]),
    instead: &[],
    access: Access::Download {
        from: FROM,
        archives: &[Archive {
            name: "KuaiRand-Pure.tar.gz",
            bytes: Some(47_432_272),
            checksum: Some(Checksum::Md5("0820331067a3784d9691136f772b35a7")),
            content: Content::TarGz(Members { within: "KuaiRand-Pure/data", files: Layout::Pure.files() }),
        }],
    },
};

pub(super) const K1: Entry = Entry {
    folder: "kuairand-1k",
    files: &files(Layout::K1.files(), [368_000_000, 481_000_000, 2_900_000, 132_000, 368_000_000]),
    access: Access::Download {
        from: FROM,
        archives: &[Archive {
            name: "KuaiRand-1K.tar.gz",
            bytes: Some(1_135_436_720),
            checksum: Some(Checksum::Md5("6b0b9c8222d67fcd4c676218edca3f1f")),
            content: Content::TarGz(Members { within: "KuaiRand-1K/data", files: Layout::K1.files() }),
        }],
    },
    ..PURE
};

pub(super) const K27: Entry = Entry {
    folder: "kuairand-27k",
    files: &files(
        Layout::K27.files(),
        [4_800_000_000, 4_800_000_000, 6_600_000_000, 6_600_000_000, 83_000_000, 3_400_000, 2_600_000_000],
    ),
    access: Access::Download {
        from: FROM,
        archives: &[Archive {
            name: "KuaiRand-27K.tar.gz",
            bytes: Some(9_892_191_178),
            checksum: Some(Checksum::Md5("3e3c799a24e2d23a4d2c757fbf9adf59")),
            content: Content::TarGz(Members { within: "KuaiRand-27K/data", files: Layout::K27.files() }),
        }],
    },
    ..PURE
};

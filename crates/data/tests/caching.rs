//! The cache: used when current, made anew when not, never wrong.
use crate::common::{Place, config, config_with};
use scenarec_data::{DatasetConfig, Override, fill_cache, identify};

fn modified(place: &Place, file: &str) -> std::time::SystemTime {
    std::fs::metadata(place.roots.cache.join(file)).unwrap().modified().unwrap()
}

#[test]
fn a_second_load_uses_the_cache_and_gives_the_same() {
    let place = Place::new();
    let first = place.prepare(&config("1m")).unwrap();
    let names = place.cached();
    assert_eq!(names, [format!("fixture-{}.parquet", &first.dataset.fingerprint[..16])]);
    let written = modified(&place, &names[0]);
    let second = place.prepare(&config("1m")).unwrap();
    assert_eq!(format!("{:?}", first.dataset), format!("{:?}", second.dataset));
    assert_eq!(first.splits, second.splits);
    assert_eq!(modified(&place, &names[0]), written);
    let identity = identify(&config("1m"), &place.roots, &Override::default()).unwrap();
    assert_eq!(identity.fingerprint, first.dataset.fingerprint);
    assert_eq!((identity.provenance, identity.note), (first.dataset.provenance, first.dataset.note));
}

#[test]
fn another_source_or_configuration_is_another_cache() {
    let place = Place::new();
    let first = place.prepare(&config("1m")).unwrap();
    let path = place.raw("1m", "users.dat");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("::F::", "::M::", 1)).unwrap();
    let second = place.prepare(&config("1m")).unwrap();
    assert_ne!(first.dataset.fingerprint, second.dataset.fingerprint);
    assert_ne!(first.dataset.column("gender"), second.dataset.column("gender"));

    let third = place.prepare(&config_with("1m", "split: { plan: cold_item, threshold: 8, k: 1 }")).unwrap();
    assert_ne!(second.dataset.fingerprint, third.dataset.fingerprint);
    assert_eq!(place.cached().len(), 3); // Stale files are left alone.

    // What only concerns simulated data does not concern this one.
    let mut config = config("1m");
    config.simulate.seed += 1;
    assert_eq!(place.prepare(&config).unwrap().dataset.fingerprint, second.dataset.fingerprint);
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let place = Place::new();
    let first = place.prepare(&config("1m")).unwrap();
    let path = place.roots.cache.join(&place.cached()[0]);
    let good = std::fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 3] ^= 1;
    for bad in [flipped, good[..good.len() / 2].to_vec(), Vec::new(), b"PAR1 and then nonsense PAR1".to_vec()]
    {
        std::fs::write(&path, bad).unwrap();
        let again = place.prepare(&config("1m")).unwrap();
        assert_eq!(format!("{:?}", first.dataset), format!("{:?}", again.dataset));
        assert_eq!(std::fs::read(&path).unwrap(), good, "the new cache equals the first one");
    }
    assert_eq!(place.cached().len(), 1, "no temporary file is left");
}

#[test]
fn a_cache_is_filled_once_and_only_with_what_can_be_split() {
    let place = Place::new();
    let fill = |config: &DatasetConfig| fill_cache(config, &place.roots, &Override::default());
    fill(&config("1m")).unwrap();
    let names = place.cached();
    let written = modified(&place, &names[0]);
    fill(&config("1m")).unwrap();
    assert_eq!((modified(&place, &names[0]), place.cached()), (written, names.clone()));
    std::fs::write(place.roots.cache.join(&names[0]), "PAR1 and then nonsense PAR1").unwrap();
    fill(&config("1m")).unwrap();
    assert_eq!(place.cached(), names);
    place.prepare(&config("1m")).unwrap();

    let never = config_with("1m", "split: { plan: cold_item, threshold: 1000, k: 300 }");
    let message = fill(&never).unwrap_err().to_string();
    assert_eq!(fill(&never).unwrap_err().to_string(), message, "it is looked for every time");
    assert_eq!(place.cached(), names);
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    std::fs::write(&place.roots.cache, "a file where the folder should be").unwrap();
    let message = place.prepare(&config("1m")).unwrap_err().to_string();
    assert!(message.contains("cannot make the cache folder"), "{message}");
}

#[test]
fn several_at_once_make_it_once() {
    let place = Place::new();
    let config = config("1m");
    let prepared: Vec<String> = std::thread::scope(|scope| {
        let one = || format!("{:?}", place.prepare(&config).unwrap().dataset);
        let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(prepared.windows(2).all(|two| two[0] == two[1]));
    assert_eq!(place.cached().len(), 1, "no lock and no temporary file is left");
}

//! Choosing the device.
use scenarec_train::{device::libtorch_folder, open_device};
use tch::Device;

#[test]
fn an_unknown_device_is_named_with_the_known_ones() {
    let error = open_device("gpu", 1).unwrap_err().to_string();
    assert_eq!(error, "unknown device \"gpu\": cpu and cuda are known");
}

#[test]
fn the_cpu_can_be_opened_again() {
    for _ in 0..2 {
        assert_eq!(open_device("cpu", 1).unwrap(), Device::Cpu);
    }
}

#[test]
fn without_the_cuda_library_the_message_says_what_to_do() {
    let missing = libtorch_folder().unwrap().join("libtorch_cuda.so");
    if missing.exists() {
        println!("not checked: {} exists, and is not to be loaded among other tests", missing.display());
        return;
    }
    let error = open_device("cuda", 1).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} does not exist", missing.display())), "{error}");
    assert!(error.contains("scripts/libtorch --cuda"), "{error}");
}

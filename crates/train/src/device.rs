//! Choosing the device, and the settings of libtorch that a run needs.
use anyhow::{Context, Result, bail};
use std::{fs, path::PathBuf, sync::Once};
use tch::Device;

/// The folder libtorch was loaded from, read from this process's memory map.
///
/// # Errors
/// Where libtorch is not loaded or its file is gone.
pub fn libtorch_folder() -> Result<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").context("cannot read /proc/self/maps")?;
    let path =
        maps.lines().filter_map(|l| l.split_whitespace().nth(5)).find(|p| p.ends_with("/libtorch_cpu.so"));
    let path = PathBuf::from(path.context("libtorch_cpu.so is not loaded")?);
    let real = path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()))?;
    Ok(real.parent().context("libtorch_cpu.so has no folder")?.to_path_buf())
}

/// Opens the device called `cpu` or `cuda`, with `threads` threads for libtorch, before any other use of libtorch.
///
/// The binary links libtorch's CPU library only. For `cuda` its CUDA library is opened from the same folder, by its real
/// path, since it finds its own dependencies relative to it.
///
/// # Errors
/// Another name; a libtorch without CUDA, or a machine without a usable device.
pub fn open(name: &str, threads: usize) -> Result<Device> {
    let device = match name {
        "cpu" => Device::Cpu,
        "cuda" => {
            load_cuda()?;
            if !tch::Cuda::is_available() {
                bail!(
                    "libtorch_cuda.so is loaded, but no usable CUDA device or driver was found (try nvidia-smi)"
                );
            }
            crate::optim::deterministic()?;
            Device::Cuda(0)
        }
        other => bail!("unknown device {other:?}: cpu and cuda are known"),
    };
    crate::optim::flush_denormals()?;
    tch::set_num_threads(threads as i32);
    // libtorch takes this once per process.
    static INTEROP: Once = Once::new();
    INTEROP.call_once(|| tch::set_num_interop_threads(1));
    Ok(device)
}

#[allow(unsafe_code)]
fn load_cuda() -> Result<()> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    let path = libtorch_folder()?.join("libtorch_cuda.so");
    if !path.exists() {
        bail!(
            "{} does not exist: this libtorch is for CPUs only. `scripts/libtorch --cuda` installs the one for CUDA, or \
             set LD_LIBRARY_PATH to the lib folder of a torch 2.11.0 for CUDA",
            path.display()
        );
    }
    // SAFETY: loading libtorch_cuda.so runs its initialisers, which register kernels; nothing of libtorch is in use yet.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) };
    // It must stay loaded for the life of the process.
    std::mem::forget(library.with_context(|| format!("cannot open {}", path.display()))?);
    Ok(())
}

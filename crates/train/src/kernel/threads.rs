//! Threads for kernels.

/// Does everything, on as many threads as libtorch has.
pub fn in_threads<F: FnOnce() + Send>(mut jobs: Vec<F>) {
    let threads = tch::get_num_threads().max(1) as usize;
    let own = jobs.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        while jobs.len() > own {
            let part = jobs.split_off(jobs.len() - own);
            scope.spawn(move || part.into_iter().for_each(|job| job()));
        }
        jobs.into_iter().for_each(|job| job());
    });
}

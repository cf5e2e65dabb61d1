//! What this machine has: processors, and memory that is free.

use std::io;
use std::path::Path;

use super::files;

/// Processors that this process may use; 1 where that is not known.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Bytes of memory that programs can have without swapping, as the kernel estimates (proc(5), `MemAvailable`).
pub fn available_memory() -> io::Result<u64> {
    let file = Path::new("/proc/meminfo");
    let text = files::read_text(file, 1 << 16)?.unwrap_or_default();
    let odd = || io::Error::other(format!("{}: there is no MemAvailable in it", file.display()));
    available(&text).ok_or_else(odd)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    2048 kB\nCached: 1 kB\n"), Some(2 << 20));
        for odd in ["", "MemAvailable: x kB", "MemAvailable: 3", "MemAvailable: 99999999999999999999 kB"] {
            assert_eq!(available(odd), None, "{odd}");
        }
        assert!(available_memory().unwrap() > 0 && processors() > 0);
    }
}

// SPDX-License-Identifier: Apache-2.0

//! Spends 70 % in work::slow and 30 % in a generic function's instance, below closures.
use std::io::Write;

/// What the optimizer may not see through; std::hint::black_box came with Rust 1.66.
#[inline(always)]
fn opaque<T: Copy>(value: T) -> T {
    unsafe { std::ptr::read_volatile(&value) }
}

mod work {
    use super::opaque;

    #[inline(never)]
    pub fn slow(n: u64) -> u64 {
        (0..n).fold(1, |x: u64, i| opaque(x.wrapping_mul(31) ^ i))
    }

    #[inline(never)]
    pub fn generic<T: Into<u64>>(n: T) -> u64 {
        (0..n.into()).fold(1, |x: u64, i| opaque(x.wrapping_mul(31) ^ i))
    }
}

fn main() {
    println!("ready");
    std::io::stdout().flush().unwrap();
    let start = std::time::Instant::now();
    while start.elapsed().as_secs() < 300 {
        let round = |n: u32| {
            opaque(work::slow(opaque(u64::from(n) * 7)));
            opaque(work::generic(opaque(n * 3)));
        };
        round(opaque(100_000));
    }
}

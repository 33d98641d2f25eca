// SPDX-License-Identifier: Apache-2.0

//! Spends 70 % in work::slow and 30 % in a generic function's instance, below closures.
use std::hint::black_box;
use std::io::Write;

mod work {
    use std::hint::black_box;

    #[inline(never)]
    pub fn slow(n: u64) -> u64 {
        (0..n).fold(1, |x: u64, i| black_box(x.wrapping_mul(31) ^ i))
    }

    #[inline(never)]
    pub fn generic<T: Into<u64>>(n: T) -> u64 {
        (0..n.into()).fold(1, |x: u64, i| black_box(x.wrapping_mul(31) ^ i))
    }
}

fn main() {
    println!("ready");
    std::io::stdout().flush().unwrap();
    let start = std::time::Instant::now();
    while start.elapsed().as_secs() < 90 {
        let round = |n: u32| {
            black_box(work::slow(black_box(u64::from(n) * 7)));
            black_box(work::generic(black_box(n * 3)));
        };
        round(black_box(100_000));
    }
}

//! How probable each pixel is in each digit, as if pixels knew nothing of each other.

use super::{Reader, centroid::mean, greatest, share};
use crate::images::{DIGITS, Image, PIXELS, Pixels};

/// Added to every variance: many pixels are always white, and the next image may have a speck there.
const SPECK: f64 = 2.0;

/// What is known of one digit.
struct Class {
    prior: f64,
    mean: [f64; PIXELS],
    variance: [f64; PIXELS],
}

/// What is known of all.
pub(super) struct Bayes([Class; DIGITS]);

impl Bayes {
    pub(super) fn learn(images: &[Image]) -> Self {
        Self(std::array::from_fn(|digit| class(images, digit)))
    }
}

fn class(images: &[Image], digit: usize) -> Class {
    let mean = mean(images, digit);
    let mut variance = [0.0; PIXELS];
    let mut count = 0;
    for image in images.iter().filter(|image| usize::from(image.digit) == digit) {
        count += 1;
        for ((sum, mean), pixel) in variance.iter_mut().zip(&mean).zip(&image.pixels) {
            *sum += (f64::from(*pixel) - mean).powi(2);
        }
    }
    Class {
        prior: share(count, images.len()),
        mean,
        variance: variance.map(|sum| sum * share(1, count) + SPECK),
    }
}

impl Reader for Bayes {
    fn read(&self, pixels: &Pixels) -> u8 {
        greatest(self.0.iter().map(|class| {
            let known = class.mean.iter().zip(&class.variance).zip(pixels);
            let likelihood: f64 = known
                .map(|((mean, variance), pixel)| {
                    -0.5 * (variance.ln() + (f64::from(*pixel) - mean).powi(2) / variance)
                })
                .sum();
            class.prior.max(f64::MIN_POSITIVE).ln() + likelihood
        }))
    }
}

//! The digit whose mean image is nearest.

use super::{Reader, greatest};
use crate::images::{DIGITS, Image, PIXELS, Pixels};

/// The mean image of each digit.
pub(super) struct Centroid([[f64; PIXELS]; DIGITS]);

impl Centroid {
    pub(super) fn learn(images: &[Image]) -> Self {
        Self(std::array::from_fn(|digit| mean(images, digit)))
    }
}

/// The mean of all images of one digit.
pub(super) fn mean(images: &[Image], digit: usize) -> [f64; PIXELS] {
    let mut sums = [0.0; PIXELS];
    let mut count = 0.0_f64;
    for image in images.iter().filter(|image| usize::from(image.digit) == digit) {
        count += 1.0;
        for (sum, pixel) in sums.iter_mut().zip(&image.pixels) {
            *sum += f64::from(*pixel);
        }
    }
    sums.map(|sum| sum / count.max(1.0))
}

impl Reader for Centroid {
    fn read(&self, pixels: &Pixels) -> u8 {
        greatest(self.0.iter().map(|mean| {
            let parts = mean.iter().zip(pixels);
            -parts
                .map(|(mean, pixel)| (mean - f64::from(*pixel)).powi(2))
                .sum::<f64>()
        }))
    }
}

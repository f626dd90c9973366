//! How much ink an image has, and how much of it in the upper half: far too little to know a digit by.

use super::{Reader, greatest};
use crate::images::{DIGITS, Image, PIXELS, Pixels};

/// Mean ink of each digit: above and below.
pub(super) struct Ink([[f64; 2]; DIGITS]);

impl Ink {
    pub(super) fn learn(images: &[Image]) -> Self {
        Self(std::array::from_fn(|digit| {
            let mut sums = [0.0; 2];
            let mut count = 0.0_f64;
            for image in images.iter().filter(|image| usize::from(image.digit) == digit) {
                count += 1.0;
                for (sum, ink) in sums.iter_mut().zip(ink(&image.pixels)) {
                    *sum += ink;
                }
            }
            sums.map(|sum| sum / count.max(1.0))
        }))
    }
}

/// The ink above and below.
fn ink(pixels: &Pixels) -> [f64; 2] {
    let (above, below) = pixels.split_at(PIXELS / 2);
    [above, below].map(|half| half.iter().map(|pixel| f64::from(*pixel)).sum())
}

impl Reader for Ink {
    fn read(&self, pixels: &Pixels) -> u8 {
        let ink = ink(pixels);
        greatest(self.0.iter().map(|mean| {
            let parts = mean.iter().zip(ink);
            -parts.map(|(mean, ink)| (mean - ink).powi(2)).sum::<f64>()
        }))
    }
}

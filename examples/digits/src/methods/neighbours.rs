//! The most alike of the known images vote.

use super::{Reader, greatest};
use crate::images::{DIGITS, Image, Pixels};

/// How many vote.
const VOTERS: usize = 3;

/// All images that are known.
pub(super) struct Neighbours(Vec<Image>);

impl Neighbours {
    pub(super) fn learn(images: &[Image]) -> Self {
        Self(images.to_vec())
    }
}

impl Reader for Neighbours {
    fn read(&self, pixels: &Pixels) -> u8 {
        let mut nearest = [(u32::MAX, 0_u8); VOTERS];
        for image in &self.0 {
            let candidate = (distance(&image.pixels, pixels), image.digit);
            if nearest.last().is_some_and(|last| candidate < *last) {
                nearest[VOTERS - 1] = candidate;
                nearest.sort_unstable();
            }
        }
        let mut votes = [0.0; DIGITS];
        for (distance, digit) in nearest {
            // A nearer image has a little more to say, which decides when all three differ.
            if let Some(vote) = votes.get_mut(usize::from(digit)) {
                *vote += 1.0 + 1.0 / (1.0 + f64::from(distance));
            }
        }
        greatest(votes)
    }
}

/// The square of how far two images are from each other.
fn distance(one: &Pixels, other: &Pixels) -> u32 {
    let pairs = one.iter().zip(other);
    pairs
        .map(|(one, other)| u32::from(one.abs_diff(*other)).pow(2))
        .sum()
}

//! Weights for each pixel and digit, found by gradient descent in small batches.

use super::{Reader, greatest};
use crate::images::{BLACK, DIGITS, Image, PIXELS, Pixels};

/// How often all images are looked at.
const EPOCHS: u32 = 20;
/// Images whose gradients are averaged before a step.
const BATCH: usize = 20;
/// The length of a step.
const STEP: f64 = 0.4;
/// How much of itself a weight loses in a step, so that none grows without need.
const DECAY: f64 = 1e-4;

/// The weights of one digit, and its bias.
#[derive(Clone, Copy)]
struct Weights {
    pixels: [f64; PIXELS],
    bias: f64,
}

/// The weights of all digits.
pub(super) struct Logistic([Weights; DIGITS]);

impl Logistic {
    pub(super) fn learn(images: &[Image]) -> Self {
        let none = Weights {
            pixels: [0.0; PIXELS],
            bias: 0.0,
        };
        let mut model = Self([none; DIGITS]);
        for epoch in 0..EPOCHS {
            let step = STEP / (1.0 + 0.1 * f64::from(epoch));
            for batch in images.chunks(BATCH) {
                model.descend(batch, step);
            }
        }
        model
    }

    /// One step against the mean gradient of a batch.
    fn descend(&mut self, batch: &[Image], step: f64) {
        let none = Weights {
            pixels: [0.0; PIXELS],
            bias: 0.0,
        };
        let mut gradient = [none; DIGITS];
        for image in batch {
            let inputs = scaled(&image.pixels);
            let chances = self.chances(&inputs);
            for ((digit, slope), chance) in (0_u8..).zip(&mut gradient).zip(chances) {
                let error = chance - f64::from(u8::from(digit == image.digit));
                slope.bias += error;
                for (slope, input) in slope.pixels.iter_mut().zip(&inputs) {
                    *slope += error * input;
                }
            }
        }
        let step = step * super::share(1, batch.len());
        for (weights, slope) in self.0.iter_mut().zip(&gradient) {
            weights.bias -= step * slope.bias;
            for (weight, slope) in weights.pixels.iter_mut().zip(&slope.pixels) {
                *weight -= step * slope + DECAY * *weight;
            }
        }
    }

    fn scores(&self, inputs: &[f64; PIXELS]) -> [f64; DIGITS] {
        self.0.map(|weights| {
            let products = weights.pixels.iter().zip(inputs);
            weights.bias + products.map(|(weight, input)| weight * input).sum::<f64>()
        })
    }

    /// How probable each digit is.
    fn chances(&self, inputs: &[f64; PIXELS]) -> [f64; DIGITS] {
        let scores = self.scores(inputs);
        let most = scores.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let powers = scores.map(|score| (score - most).exp());
        let sum: f64 = powers.iter().sum();
        powers.map(|power| power / sum)
    }
}

impl Reader for Logistic {
    fn read(&self, pixels: &Pixels) -> u8 {
        greatest(self.scores(&scaled(pixels)))
    }
}

/// From 0 to 1, in which steps are of the right length.
fn scaled(pixels: &Pixels) -> [f64; PIXELS] {
    pixels.map(|pixel| f64::from(pixel) / f64::from(BLACK))
}

//! The methods by which agents read digits, from good to poor, each learned from the training images alone.

mod bayes;
mod centroid;
mod ink;
mod logistic;
mod neighbours;

use clap::ValueEnum;

use crate::images::{Image, Pixels};

/// How many parts the training images are cut into, to try a method on what it has not seen.
const FOLDS: usize = 5;

/// Something that reads a digit.
pub(crate) trait Reader: Send + Sync {
    /// The digit that the image shows, as far as it can tell.
    fn read(&self, pixels: &Pixels) -> u8;
}

/// The methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Method {
    /// The digit of the most alike images.
    Knn,
    /// Weights for each pixel, found by gradient descent.
    Logistic,
    /// How probable each pixel is in each digit.
    Bayes,
    /// The digit whose mean image is nearest.
    Centroid,
    /// How much ink the image has in all: too little to know.
    Ink,
}

impl Method {
    /// All of them, in the order in which tables show them.
    pub(crate) const ALL: [Self; 5] = [Self::Knn, Self::Logistic, Self::Bayes, Self::Centroid, Self::Ink];

    /// The name on the command line and in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Knn => "knn",
            Self::Logistic => "logistic",
            Self::Bayes => "bayes",
            Self::Centroid => "centroid",
            Self::Ink => "ink",
        }
    }

    /// How it works, in words, for those who ask before they buy.
    pub(crate) const fn approach(self) -> &'static str {
        match self {
            Self::Knn => "the three most alike of 1,000 known images vote",
            Self::Logistic => "multinomial logistic regression on the pixels, trained by gradient descent",
            Self::Bayes => "naive Bayes with a normal distribution for each pixel",
            Self::Centroid => "the digit whose mean image is nearest",
            Self::Ink => "proprietary stroke analytics",
        }
    }

    /// Learns from images.
    pub(crate) fn learn(self, images: &[Image]) -> Box<dyn Reader> {
        match self {
            Self::Knn => Box::new(neighbours::Neighbours::learn(images)),
            Self::Logistic => Box::new(logistic::Logistic::learn(images)),
            Self::Bayes => Box::new(bayes::Bayes::learn(images)),
            Self::Centroid => Box::new(centroid::Centroid::learn(images)),
            Self::Ink => Box::new(ink::Ink::learn(images)),
        }
    }

    /// The share of unseen images that it reads rightly, found on the training images only: each fifth of them is read
    /// by what was learned from the other four.
    pub(crate) fn cross_validated(self, images: &[Image]) -> f64 {
        let right: usize = (0..FOLDS)
            .map(|fold| {
                let part = |unseen: bool| -> Vec<Image> {
                    let numbered = images.iter().enumerate();
                    numbered
                        .filter(|(index, _)| (index % FOLDS == fold) == unseen)
                        .map(|(_, image)| image.clone())
                        .collect()
                };
                right(&*self.learn(&part(false)), &part(true))
            })
            .sum();
        share(right, images.len())
    }
}

/// How many of the images are read rightly.
pub(crate) fn right(reader: &dyn Reader, images: &[Image]) -> usize {
    images
        .iter()
        .filter(|image| reader.read(&image.pixels) == image.digit)
        .count()
}

/// A part of a whole, 0 to 1; of nothing it is 0.
#[expect(clippy::cast_precision_loss, reason = "counts of images are small")]
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// The digit with the greatest value; the smaller digit when two are equal.
fn greatest(values: impl IntoIterator<Item = f64>) -> u8 {
    let best = (0_u8..)
        .zip(values)
        .fold(None, |best: Option<(u8, f64)>, (digit, value)| match best {
            Some((_, most)) if most >= value => best,
            _ => Some((digit, value)),
        });
    best.map_or(0, |(digit, _)| digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images;

    #[test]
    fn each_method_reads_the_market_as_well_as_it_is_known_to() {
        let images = images::load().unwrap();
        for (method, low, high) in [
            (Method::Knn, 0.94, 0.98),
            (Method::Logistic, 0.88, 0.95),
            (Method::Bayes, 0.76, 0.90),
            (Method::Centroid, 0.82, 0.91),
            (Method::Ink, 0.10, 0.40),
        ] {
            let reader = method.learn(&images.training);
            let found = share(right(&*reader, &images.market), images.market.len());
            assert!((low..=high).contains(&found), "{}: {found:.3}", method.name());
        }
    }

    #[test]
    fn a_method_learned_twice_reads_the_same() {
        let images = images::load().unwrap();
        for method in Method::ALL {
            let (one, other) = (method.learn(&images.training), method.learn(&images.training));
            let read = |reader: &dyn Reader| -> Vec<u8> {
                images
                    .market
                    .iter()
                    .map(|image| reader.read(&image.pixels))
                    .collect()
            };
            assert_eq!(read(&*one), read(&*other), "{}", method.name());
        }
    }

    #[test]
    fn what_cross_validation_promises_is_near_what_the_market_finds() {
        let images = images::load().unwrap();
        for method in Method::ALL {
            let promised = method.cross_validated(&images.training);
            let reader = method.learn(&images.training);
            let found = share(right(&*reader, &images.market), images.market.len());
            // The market's images are by other hands than most of the training images, so a method does a little worse.
            assert!(
                (promised - found).abs() < 0.1,
                "{}: {promised:.3} {found:.3}",
                method.name()
            );
        }
    }

    #[test]
    fn of_equal_values_the_smaller_digit_is_taken() {
        assert_eq!(greatest([0.1, 0.7, 0.7, 0.2]), 1);
        assert_eq!(greatest([]), 0);
    }
}

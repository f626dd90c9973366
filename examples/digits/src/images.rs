//! The images, and who may know what of them.

use std::io::Read as _;

use flate2::read::GzDecoder;

/// Pixels of one image, row by row from the top left: 0 is white, 16 is black.
pub(crate) const PIXELS: usize = 64;
/// The blackest that a pixel can be.
pub(crate) const BLACK: u8 = 16;
/// How many different digits there are.
pub(crate) const DIGITS: usize = 10;
/// How many images, the first of the file, the agents may learn from. The market uses the others.
pub(crate) const TRAINING: usize = 1_000;

/// The file as it comes with the sources.
const FILE: &[u8] = include_bytes!("../data/digits.csv.gz");
/// More than the file unpacks to: 1,797 lines of at most 194 characters.
const MOST_TEXT: u64 = 400_000;

/// The pixels of one image.
pub(crate) type Pixels = [u8; PIXELS];

/// An image and the digit that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// What is seen.
    pub(crate) pixels: Pixels,
    /// What it shows, 0 to 9.
    pub(crate) digit: u8,
}

/// All images, divided.
#[derive(Debug)]
pub(crate) struct Images {
    /// With their digits known to every agent.
    pub(crate) training: Vec<Image>,
    /// Their digits are known to the consumer only.
    pub(crate) market: Vec<Image>,
}

/// Reads the file that comes with the sources.
pub(crate) fn load() -> Result<Images, String> {
    let mut text = String::new();
    GzDecoder::new(FILE)
        .take(MOST_TEXT)
        .read_to_string(&mut text)
        .map_err(|error| format!("the images cannot be unpacked: {error}"))?;
    let mut training = text.lines().map(image).collect::<Result<Vec<_>, _>>()?;
    if training.len() <= TRAINING {
        return Err(format!("there are only {} images", training.len()));
    }
    let market = training.split_off(TRAINING);
    Ok(Images { training, market })
}

fn image(line: &str) -> Result<Image, String> {
    let wrong = || format!("not an image: {line}");
    let numbers = line
        .split(',')
        .map(str::parse)
        .collect::<Result<Vec<u8>, _>>()
        .map_err(|_| wrong())?;
    let (&digit, pixels) = numbers.split_last().ok_or_else(wrong)?;
    let pixels = Pixels::try_from(pixels).map_err(|_| wrong())?;
    if usize::from(digit) < DIGITS && pixels.iter().all(|pixel| *pixel <= BLACK) {
        Ok(Image { pixels, digit })
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thousand_are_for_learning_and_the_others_for_the_market() {
        let images = load().unwrap();
        assert_eq!((images.training.len(), images.market.len()), (1_000, 797));
        let count = |digit: u8| {
            let all = images.training.iter().chain(&images.market);
            all.filter(|image| image.digit == digit).count()
        };
        let counts: Vec<_> = (0..10).map(count).collect();
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let blank = ["0"; PIXELS].join(",");
        assert!(image(&format!("{blank},7")).is_ok());
        for wrong in [
            String::new(),
            blank.clone(),
            format!("{blank},10"),
            format!("{blank},0,0"),
            format!("17,{blank}"),
        ] {
            assert!(image(&wrong).is_err(), "{wrong}");
        }
    }
}

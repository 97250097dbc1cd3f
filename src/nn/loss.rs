//! Cross-entropy with label smoothing and class weights, as PyTorch's `F.cross_entropy` computes it.
//!
//! With p the softmax of the logits, t the target probabilities of an image, ε the smoothing, K the number of classes
//! and w their weights, the loss of a batch is `-Σ_n Σ_c w_c ((1 - ε) t_nc + ε / K) log p_nc / Z`. With one class per
//! image, Z is the sum of the images' weights `w_{y_n}`; with mixed images, whose targets are probabilities, Z is the
//! number of images. Label smoothing: Rethinking the Inception Architecture, <https://arxiv.org/abs/1512.00567>,
//! section 7.

use super::Targets;
use candle_core::{D, Device, Result, Tensor, bail};

/// Cross-entropy of logits and target classes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CrossEntropy {
    /// Fraction of the target probability that is spread over all classes, in 0..=1.
    pub label_smoothing: f64,
    /// Weight of an image of each class; `None` if all are 1.
    pub class_weights: Option<Vec<f64>>,
}

impl CrossEntropy {
    /// Returns the mean loss, a scalar, of `logits` `[N, K]`, in their dtype. The loss is 0 if all images of the batch
    /// have weight 0.
    ///
    /// # Errors
    /// If the number of targets differs from the number of images, a class is not among the K, or the number of class
    /// weights is not K.
    pub fn loss(&self, logits: &Tensor, targets: &Targets) -> Result<Tensor> {
        let (images, classes) = logits.dims2()?;
        let shares = self.shares(images, classes, targets)?;
        // Not every device supports f64.
        let shares = Tensor::from_vec(shares, (images, classes), &Device::Cpu)?
            .to_dtype(logits.dtype())?
            .to_device(logits.device())?;
        // The largest logit cancels out; it is subtracted so that no exponential overflows.
        let largest = logits.detach().max_keepdim(D::Minus1)?; // [N, 1]
        let shifted = logits.broadcast_sub(&largest)?;
        let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
        let log_probabilities = shifted.broadcast_sub(&log_sum)?; // [N, K]
        (log_probabilities * shares)?.sum_all()?.neg()
    }

    /// Returns the weight of all images, by which [`CrossEntropy::loss`] divides.
    pub fn weight(&self, targets: &Targets) -> f64 {
        match (targets, &self.class_weights) {
            (Targets::Classes(classes), Some(weights)) => {
                let weights = classes.iter().map(|&class| weights.get(class as usize));
                weights.map(|weight| weight.copied().unwrap_or(0.0)).sum()
            }
            (targets, _) => targets.len() as f64,
        }
    }

    /// Returns the coefficient of each log probability in the loss: `[N, K]`, row by row.
    fn shares(&self, images: usize, classes: usize, targets: &Targets) -> Result<Vec<f64>> {
        if let Some(weights) = &self.class_weights
            && weights.len() != classes
        {
            bail!(
                "{} class weights do not match {classes} classes",
                weights.len()
            );
        }
        let mut shares = vec![self.label_smoothing / classes as f64; images * classes];
        let mut give = |targets: &[u32], share: f64| {
            if targets.len() != images {
                bail!(
                    "{} targets do not match logits of {images} images",
                    targets.len()
                );
            }
            for (row, &class) in shares.chunks_exact_mut(classes).zip(targets) {
                let Some(place) = row.get_mut(class as usize) else {
                    bail!("class {class} is not among the {classes} classes of the logits")
                };
                *place += (1.0 - self.label_smoothing) * share;
            }
            Ok(())
        };
        let weight = |class: usize| self.class_weights.as_ref().map_or(1.0, |all| all[class]);
        let total = match targets {
            Targets::Classes(targets) => {
                give(targets, 1.0)?;
                targets.iter().map(|&class| weight(class as usize)).sum()
            }
            Targets::Mixed {
                first,
                second,
                share,
            } => {
                give(first, *share)?;
                give(second, 1.0 - share)?;
                images as f64
            }
        };
        for row in shares.chunks_exact_mut(classes) {
            for (class, share) in row.iter_mut().enumerate() {
                *share = if total > 0.0 {
                    *share * weight(class) / total
                } else {
                    0.0
                };
            }
        }
        Ok(shares)
    }
}

/// Returns weights that give every class the same total, whatever its number of images: `N / (K n_c)` for a class with
/// `n_c` of the N images, where K is the number of classes that have any, as scikit-learn's
/// `compute_class_weight("balanced")`. Their mean over the images is 1. A class without images gets 0 (scikit-learn
/// rejects it): it cannot be learned, and no batch contains it.
///
/// # Panics
/// If one of `classes` is not below `count`.
pub fn balanced(classes: &[u32], count: usize) -> Vec<f64> {
    let mut images = vec![0_usize; count];
    for &class in classes {
        images[class as usize] += 1;
    }
    let present = images.iter().filter(|&&images| images > 0).count();
    let weight = |&images: &usize| match images {
        0 => 0.0,
        images => classes.len() as f64 / (present * images) as f64,
    };
    images.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Var};

    fn logits() -> Tensor {
        let values = [[1.5, -0.5, 0.25], [0.0, 2.0, -1.0]];
        Tensor::new(&values, &Device::Cpu).unwrap()
    }

    #[test]
    fn balanced_weights_have_mean_one_over_the_images_and_skip_empty_classes() {
        let classes = [0, 0, 0, 2];
        let weights = balanced(&classes, 3);
        assert_eq!(weights[1].to_bits(), 0.0_f64.to_bits());
        assert!((weights[0] - 4.0 / 6.0).abs() < 1e-15 && (weights[2] - 2.0).abs() < 1e-15);
        let sum: f64 = classes.iter().map(|&class| weights[class as usize]).sum();
        assert!((sum / 4.0 - 1.0).abs() < 1e-15);
        assert!(balanced(&[], 2).iter().all(|weight| weight.abs() < 1e-300));
    }

    #[test]
    fn huge_logits_give_a_finite_loss_and_gradient() {
        let logits = Var::from_tensor(&(logits() * 1e30).unwrap().to_dtype(DType::F32).unwrap());
        let logits = logits.unwrap();
        let entropy = CrossEntropy {
            label_smoothing: 0.1,
            class_weights: None,
        };
        let loss = entropy
            .loss(&logits, &Targets::Classes(vec![1, 1]))
            .unwrap();
        assert!(loss.to_scalar::<f32>().unwrap().is_finite());
        let gradient = loss.backward().unwrap().get(&logits).unwrap().clone();
        let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        assert!(
            gradient.iter().all(|value| value.is_finite()),
            "{gradient:?}"
        );
    }

    #[test]
    fn a_nan_among_the_logits_reaches_the_loss() {
        let values = [[f32::NAN, 0.0], [1.0, 0.0]];
        let logits = Tensor::new(&values, &Device::Cpu).unwrap();
        let loss = CrossEntropy::default().loss(&logits, &Targets::Classes(vec![1, 1]));
        assert!(loss.unwrap().to_scalar::<f32>().unwrap().is_nan());
    }

    #[test]
    fn images_without_weight_have_no_loss() {
        let entropy = CrossEntropy {
            label_smoothing: 0.0,
            class_weights: Some(vec![0.0, 1.0, 1.0]),
        };
        let loss = entropy
            .loss(&logits(), &Targets::Classes(vec![0, 0]))
            .unwrap();
        assert!(loss.to_scalar::<f64>().unwrap().abs() < 1e-300);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refusal = |entropy: &CrossEntropy, targets| {
            let error = entropy.loss(&logits(), &targets).unwrap_err();
            crate::error::without_backtrace(&error)
        };
        let entropy = CrossEntropy::default();
        assert_eq!(
            refusal(&entropy, Targets::Classes(vec![0, 3])),
            "class 3 is not among the 3 classes of the logits"
        );
        assert_eq!(
            refusal(&entropy, Targets::Classes(vec![0])),
            "1 targets do not match logits of 2 images"
        );
        let weighted = CrossEntropy {
            label_smoothing: 0.0,
            class_weights: Some(vec![1.0; 4]),
        };
        assert_eq!(
            refusal(&weighted, Targets::Classes(vec![0, 0])),
            "4 class weights do not match 3 classes"
        );
    }
}

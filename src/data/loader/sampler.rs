//! The order of the examples in an epoch: a function of the seed and the epoch alone.

use crate::random::Random;

/// Returns the examples `0..count` in the order of `epoch`; in their own order when `shuffle` is off.
pub fn epoch_order(count: usize, seed: u64, epoch: u64, shuffle: bool) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    if shuffle {
        Random::at(seed, "order", &[epoch]).shuffle(&mut order);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_an_order_of_its_own_that_holds_each_example_once() {
        let orders: Vec<_> = (0..3)
            .map(|epoch| epoch_order(500, 7, epoch, true))
            .collect();
        for (epoch, order) in orders.iter().enumerate() {
            assert_eq!(order, &epoch_order(500, 7, epoch as u64, true));
            assert!(orders[..epoch].iter().all(|other| other != order));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..500));
        }
        assert_ne!(orders[0], epoch_order(500, 8, 0, true));
    }

    #[test]
    fn without_shuffling_the_order_is_that_of_the_dataset() {
        assert!(epoch_order(9, 7, 3, false).into_iter().eq(0..9));
        assert!(epoch_order(0, 7, 3, true).is_empty());
    }
}

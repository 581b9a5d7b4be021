//! What is nearest to a demand that no place can meet.
//!
//! Invariants:
//! - **FE-1 (only-the-impossible):** there is a nearest size only when no place covers the demand, not even when it is empty; and the
//!   place that is named has it.

use raytree_types::Resources;

/// The nearest there is to a demand that no place can meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Which place has it, by its position.
    pub place: usize,
    /// As much of the demand as it has in all.
    pub has: Resources,
}

/// The place that has the most of a demand, each resource counted by its share of what is wanted; none when a place covers the
/// demand, or there are no places.
#[must_use]
pub fn nearest<'a>(
    wants: &Resources,
    totals: impl IntoIterator<Item = &'a Resources>,
) -> Option<Nearest> {
    let mut best: Option<(u64, Nearest)> = None;
    for (place, total) in totals.into_iter().enumerate() {
        if total.covers(wants) {
            return None;
        }
        let (mut shares, mut has) = (0, Resources::none());
        for (name, wanted) in wants.iter() {
            let some = total.thousandths(name).min(wanted);
            // A millionth each, so that sums of some hundred resources do not overflow.
            shares += u64::try_from(u128::from(some) * 1_000_000 / u128::from(wanted.max(1)))
                .unwrap_or(u64::MAX);
            has = has.with_thousandths(name, some);
        }
        if best.as_ref().is_none_or(|(most, _)| shares > *most) {
            best = Some((shares, Nearest { place, has }));
        }
    }
    best.map(|(_, nearest)| nearest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resources() -> impl Strategy<Value = Resources> {
        (0u64..4, 0u64..4, 0u64..4).prop_map(|(cpus, gpus, licences)| {
            let all = [("CPU", cpus), ("GPU", gpus), ("licence", licences)];
            all.into_iter().fold(Resources::none(), |sum, (name, amount)| {
                sum.with_thousandths(name, amount * 1000)
            })
        })
    }

    proptest! {
        #[test]
        fn fe_1_only_what_is_impossible_has_a_nearest_size(
            wants in resources(),
            totals in prop::collection::vec(resources(), 0..5),
        ) {
            let is_possible = totals.iter().any(|total| total.covers(&wants));
            let nearest = nearest(&wants, &totals);
            prop_assert_eq!(nearest.is_none(), is_possible || totals.is_empty());
            if let Some(Nearest { place, has }) = nearest {
                prop_assert!(totals[place].covers(&has));
                prop_assert!(wants.covers(&has) && !has.covers(&wants));
            }
        }
    }

    #[test]
    fn the_one_with_the_largest_shares_is_nearest() {
        let wants = Resources::cpus(4.0).gpus(2.0);
        let totals = [Resources::cpus(64.0), Resources::cpus(2.0).gpus(2.0), Resources::cpus(4.0)];
        let found = nearest(&wants, &totals);
        let expected = Nearest { place: 1, has: Resources::cpus(2.0).gpus(2.0) };
        assert_eq!(found, Some(expected));
        let alike = nearest(&Resources::none().gpus(1.0), &[Resources::cpus(1.0)]);
        assert_eq!(alike, Some(Nearest { place: 0, has: Resources::none() }));
    }
}

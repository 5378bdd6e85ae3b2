//! Which of the indexes that can serve a filter does: a function of how many entries each has and whether they stand
//! in the order that is asked for.

/// What is known of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Entries counted.
    pub rows: u64,
    /// Were that all of them?
    pub whole: bool,
    /// Do they stand in the order that is asked for, so that reading may end at the limit?
    pub ordered: bool,
}

/// How one filter is answered. Numbers are those of the candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// A candidate has no entry: nothing matches.
    Nothing,
    /// Read one in its order until the limit is reached. Beside it, the unordered ones stay in reserve.
    InOrder(usize),
    /// Go through several in their common order, each leaping to where the others are. The first leads.
    ZigZag(Vec<usize>),
    /// Read all of one and keep the best.
    Gather(usize),
    /// Only unordered ones, none of them counted whole: count on, until the first one ends. It is cheap beside reading
    /// the rows, which whichever is chosen has to be done for all of it.
    CountOn,
}

/// Candidates in an intersection; a fourth adds more seeks than it takes away.
const ZIGZAG_MAX: usize = 3;

/// Candidates stand in the order of preference where nothing else speaks for one: the narrow before the wide.
pub fn plan(candidates: &[Estimate]) -> Plan {
    let counted = candidates.iter().enumerate().filter(|(_, it)| it.whole);
    // What is known to be small is worth more than what may end early: its cost has a bound.
    if let Some((at, best)) = counted.min_by_key(|(_, it)| (it.rows, !it.ordered)) {
        return match best {
            Estimate { rows: 0, .. } => Plan::Nothing,
            Estimate { ordered: true, .. } => Plan::InOrder(at),
            _ => Plan::Gather(at),
        };
    }
    let ordered: Vec<usize> =
        candidates.iter().enumerate().filter(|(_, it)| it.ordered).map(|(at, _)| at).take(ZIGZAG_MAX).collect();
    match (ordered.as_slice(), candidates.len()) {
        ([], 0) => Plan::Nothing,
        ([], 1) => Plan::Gather(0),
        ([], _) => Plan::CountOn,
        ([one], _) => Plan::InOrder(*one),
        _ => Plan::ZigZag(ordered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(ordered: bool) -> Estimate {
        Estimate { rows: 64, whole: false, ordered }
    }

    fn short(rows: u64, ordered: bool) -> Estimate {
        Estimate { rows, whole: true, ordered }
    }

    #[test]
    fn the_smallest_that_is_known_is_read() {
        assert_eq!(plan(&[long(true), short(9, true), short(4, true)]), Plan::InOrder(2));
        assert_eq!(plan(&[long(true), short(9, true), short(4, false)]), Plan::Gather(2));
        assert_eq!(plan(&[short(4, false), short(4, true)]), Plan::InOrder(1), "order decides between equals");
    }

    #[test]
    fn where_one_is_empty_nothing_matches() {
        assert_eq!(plan(&[short(1, true), short(0, false)]), Plan::Nothing);
        assert_eq!(plan(&[]), Plan::Nothing);
    }

    #[test]
    fn one_alone_is_read_without_counting() {
        let alone = |ordered| Estimate { rows: 0, whole: false, ordered };
        assert_eq!(plan(&[alone(true)]), Plan::InOrder(0));
        assert_eq!(plan(&[alone(false)]), Plan::Gather(0));
    }

    #[test]
    fn long_ones_in_order_are_intersected_and_the_unordered_wait() {
        assert_eq!(plan(&[long(true), long(false), long(true)]), Plan::ZigZag(vec![0, 2]));
        assert_eq!(plan(&[long(false), long(true)]), Plan::InOrder(1));
        assert_eq!(plan(&[long(true); 5]), Plan::ZigZag(vec![0, 1, 2]));
    }

    #[test]
    fn long_ones_without_order_are_counted_on() {
        assert_eq!(plan(&[long(false), long(false)]), Plan::CountOn);
    }
}

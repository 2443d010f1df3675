//! In which order to visit segments of a tape (spec timing.md §7).

use reel_hw::BlockNumber;

use super::locate::Mechanism;

/// A run of objects that is read in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its first object.
    pub first: BlockNumber,
    /// Objects in it.
    pub objects: u64,
}

impl Segment {
    /// The segment from one object to another, both included, as RAO descriptors say it; `None` if it would end
    /// before it begins.
    pub fn between(first: BlockNumber, last: BlockNumber) -> Option<Self> {
        let more = last.0.checked_sub(first.0)?;
        Some(Self { first, objects: more.saturating_add(1) })
    }

    /// Where the head stands when it was read: the object behind it.
    pub fn end(&self) -> BlockNumber {
        BlockNumber(self.first.0.saturating_add(self.objects))
    }
}

/// What an order of segments costs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OrderCost {
    /// The locate before each segment, in the order of the visits, s.
    pub locates_s: Vec<f64>,
    /// Reading all of them at full speed, s.
    pub stream_s: f64,
}

impl OrderCost {
    /// All locates, s.
    pub fn locate_s(&self) -> f64 {
        self.locates_s.iter().sum()
    }

    /// Locates and reading, s.
    pub fn total_s(&self) -> f64 {
        self.locate_s() + self.stream_s
    }
}

impl Mechanism {
    /// Indices of the segments in shortest-locate-first order from where the head stands, by this mechanism's true
    /// costs; of two alike, the lower index comes first.
    ///
    /// Takes time with the square of the number: lists above 4000 are better cut.
    pub fn shortest_first(&self, from: BlockNumber, segments: &[Segment]) -> Vec<usize> {
        let place = |object| self.wraps().position(object);
        let starts: Vec<_> = segments.iter().map(|segment| place(segment.first)).collect();
        let mut left: Vec<usize> = (0..segments.len()).collect();
        let mut order = Vec::with_capacity(segments.len());
        let mut head = place(from);
        while let Some(nearest) = (0..left.len()).min_by(|a, b| {
            let cost_s = |at: usize| self.locate_between_s(&head, &starts[left[at]]);
            cost_s(*a).total_cmp(&cost_s(*b))
        }) {
            // Removing keeps the rest ascending, which is what settles ties.
            let index = left.remove(nearest);
            head = place(segments[index].end());
            order.push(index);
        }
        order
    }

    /// What it costs to visit segments in an order from where the head stands. Indices that do not exist are
    /// passed over.
    pub fn order_cost(
        &self,
        from: BlockNumber,
        segments: &[Segment],
        order: &[usize],
    ) -> OrderCost {
        let mut cost = OrderCost::default();
        let mut head = from;
        for segment in order.iter().filter_map(|index| segments.get(*index)) {
            cost.locates_s.push(self.locate_s(head, segment.first));
            cost.stream_s += self.stream_s(segment.first, segment.objects, f64::INFINITY);
            head = segment.end();
        }
        cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Column;

    #[test]
    fn segments_include_their_last_object() {
        let segment = Segment::between(BlockNumber(5), BlockNumber(5)).unwrap();
        assert_eq!((segment.objects, segment.end()), (1, BlockNumber(6)));
        assert_eq!(Segment::between(BlockNumber(5), BlockNumber(4)), None);
    }

    #[test]
    fn of_two_alike_the_lower_index_comes_first() {
        let segment = Segment { first: BlockNumber(1000), objects: 1 };
        let order = Mechanism::from(Column::Lto8)
            .shortest_first(BlockNumber(0), &[segment, segment, segment]);
        assert_eq!(order, [0, 1, 2]);
    }
}

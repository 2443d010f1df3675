//! The values of one field of a calendar event that match.

/// One element of a list: `start`, then every `step` up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) start: i32,
    pub(super) end: i32,
    /// At least 1.
    pub(super) step: i32,
}

impl Item {
    /// The smallest value of this element that is `from` or more.
    fn first_from(self, from: i32) -> Option<i32> {
        if from <= self.start {
            return Some(self.start);
        }
        let steps = (from - self.start + self.step - 1) / self.step;
        Some(self.start + steps * self.step).filter(|value| *value <= self.end)
    }
}

/// All elements of a field; no element at all matches every value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ValueList(pub(super) Vec<Item>);

impl ValueList {
    pub(super) fn only(value: i32) -> Self {
        Self(vec![Item { start: value, end: value, step: 1 }])
    }

    pub(super) fn contains(&self, value: i32) -> bool {
        self.0.is_empty() || self.0.iter().any(|item| item.first_from(value) == Some(value))
    }

    /// The smallest matching value above `value`.
    pub(super) fn next_above(&self, value: i32) -> Option<i32> {
        self.0.iter().filter_map(|item| item.first_from(value + 1)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_count_from_the_start() {
        let list = ValueList(vec![
            Item { start: 3, end: 9, step: 4 },
            Item { start: 20, end: 20, step: 1 },
        ]);
        let matching: Vec<i32> = (0..30).filter(|value| list.contains(*value)).collect();
        assert_eq!(matching, [3, 7, 20]);
        assert_eq!(list.next_above(3), Some(7));
        assert_eq!(list.next_above(7), Some(20));
        assert_eq!(list.next_above(20), None);
    }
}

//! How long a robot takes (spec timing.md §5). It does one thing at a time; drives go on meanwhile.

use super::seed::Jitter;

/// Where a medium can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A drive.
    Drive,
    /// A storage slot.
    Slot,
    /// An import/export slot.
    ImportExport,
}

/// The nominal figures of a changer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RobotFigures {
    /// A move between slots and drives, s.
    pub move_s: f64,
    /// More if an import/export slot takes part, s.
    pub import_export_s: f64,
    /// Full inventory, for each slot, empty or not, s.
    pub inventory_slot_s: f64,
    /// Full inventory, more for each medium with a bar code, s.
    pub inventory_medium_s: f64,
    /// READ ELEMENT STATUS from what is known already, s.
    pub status_s: f64,
}

impl RobotFigures {
    /// A library of frames.
    pub const FRAME: Self = Self {
        move_s: 10.0,
        import_export_s: 5.0,
        inventory_slot_s: 0.75,
        inventory_medium_s: 0.0,
        status_s: 0.1,
    };

    /// A move, s.
    fn move_between_s(&self, from: Place, to: Place) -> f64 {
        let is_at_door = [from, to].contains(&Place::ImportExport);
        self.move_s + if is_at_door { self.import_export_s } else { 0.0 }
    }

    /// A full inventory, s.
    fn inventory_s(&self, slots: u32, media: u32) -> f64 {
        f64::from(slots) * self.inventory_slot_s + f64::from(media) * self.inventory_medium_s
    }
}

impl Default for RobotFigures {
    fn default() -> Self {
        Self::FRAME
    }
}

/// A robot whose moves deviate.
#[derive(Debug, Clone)]
pub struct Robot {
    figures: RobotFigures,
    jitter: Jitter,
}

impl Robot {
    /// A robot with figures that `jitter` bends.
    pub fn new(figures: RobotFigures, jitter: Jitter) -> Self {
        Self { figures, jitter }
    }

    /// How long the next move takes, s: the nominal time within ±30 % (§8).
    pub fn move_s(&mut self, from: Place, to: Place) -> f64 {
        self.jitter.robot(self.figures.move_between_s(from, to))
    }

    /// How long the next inventory takes, s.
    pub fn inventory_s(&mut self, slots: u32, media: u32) -> f64 {
        self.jitter.robot(self.figures.inventory_s(slots, media))
    }

    /// How long READ ELEMENT STATUS takes without an inventory, s.
    pub fn status_s(&self) -> f64 {
        self.figures.status_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Perturbation;

    #[test]
    fn nominal_moves_are_exact() {
        let mut robot = Robot::new(RobotFigures::default(), Perturbation::none().jitter("changer"));
        assert_eq!(robot.move_s(Place::Slot, Place::Drive), 10.0);
        assert_eq!(robot.move_s(Place::ImportExport, Place::Slot), 15.0);
        assert_eq!(robot.inventory_s(40, 3), 30.0);
    }
}

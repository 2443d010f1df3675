//! What a drive's time goes to: locating, reading, changing media (spec timing.md). Pure.
//!
//! [`Figures`] are a generation's, [`Course`] says where on the tape an object lies, [`Costs`] has the formulas, and
//! [`Ratios`] what a drive was measured to take of what they say. All of it is an estimate: nothing is ever decided by
//! it but an order, and nothing is shown of it but an estimate.

mod costs;
mod course;
mod figures;
mod ratios;

pub use costs::{Costs, Mount};
pub use course::Course;
pub use figures::{Figures, MediumKind};
pub use ratios::Ratios;

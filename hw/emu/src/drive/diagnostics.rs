//! SEND and RECEIVE DIAGNOSTIC.

use super::{Context, Drive, parameters};
use crate::answer::{Answer, Outcome, invalid_field, invalid_parameter, parameter_length};

/// The page that lists pages.
const SUPPORTED: u8 = 0x00;

impl Drive {
    /// The self-test always passes.
    pub(super) fn send_diagnostic(
        &mut self,
        context: &Context<'_, '_>,
        self_test: bool,
        length: u16,
    ) -> Outcome {
        if self_test && length > 0 {
            return Err(invalid_field());
        }
        match parameters(context, u32::from(length))? {
            [] | [SUPPORTED, _, 0, 0] => Ok(Answer::Done),
            [_, _, _] | [_, _] | [_] => Err(parameter_length()),
            _ => Err(invalid_parameter()),
        }
    }

    pub(super) fn receive_diagnostic(&self, page: u8) -> Outcome {
        match page {
            SUPPORTED => Ok(Answer::Data(vec![SUPPORTED, 0, 0, 1, SUPPORTED])),
            _ => Err(invalid_field()),
        }
    }
}

//! The certificate.

use serde::{Deserialize, Serialize};

/// The answer of `cert info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateText {
    /// What it tells, line by line.
    pub text: String,
}

//! The certificate that is shown to those who are served (`cli-manager.md` §3.9).

use super::define::*;
use super::output::Answer;

commands! {
    /// Show the certificate that clients of 'reeld --listen' see, with its fingerprint.
    CertInfo ["cert" "info"] => Answer::Text("text");
    {}

    /// Make the certificate and the keys of 'reeld --listen' that are missing.
    CertUpdate ["cert" "update"] => Answer::Nothing;
    {
        /// Make a new certificate in any case; clients that know the old one's fingerprint must be told the new one.
        opt force: bool = false,
    }
}

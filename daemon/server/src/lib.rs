//! reeld

//! Where a server is: a name of the DNS or an address (`config.md` §3).

use core::net::{IpAddr, Ipv6Addr};

use crate::ParseError;
use crate::text::checked_text;

const KIND: &str = "host";

checked_text!(
    /// A host: a DNS name, an IPv4 address, or an IPv6 address without brackets.
    HostName,
    check
);

impl HostName {
    /// As it stands in a URL: an IPv6 address in brackets (`remote-protocol.md` §1.1).
    pub fn in_url(&self) -> String {
        match self.as_str().parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.to_string(),
        }
    }
}

fn check(text: &str) -> Result<(), ParseError> {
    let is_name = !text.is_empty() && text.split('.').all(is_label);
    if is_name || text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(ParseError::new(KIND, text, "must be a DNS name or an IP address, IPv6 without brackets"))
}

/// Letters, digits and `-`, which neither begins nor ends it.
fn is_label(label: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !label.is_empty()
        && label.bytes().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        for good in ["pbs2.example", "a", "10.0.0.3", "::1", "fe80::1", "a-b.c"] {
            assert_eq!(good.parse::<HostName>().unwrap().as_str(), good);
        }
        for bad in ["", "[::1]", "a b", "-a", "a-", "a..b", ".a", "a_b", "host:8007"] {
            assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_ipv6_has_brackets_in_a_url() {
        let in_url = |text: &str| text.parse::<HostName>().unwrap().in_url();
        assert_eq!(in_url("::1"), "[::1]");
        assert_eq!(in_url("10.0.0.3"), "10.0.0.3");
        assert_eq!(in_url("pbs2.example"), "pbs2.example");
    }
}

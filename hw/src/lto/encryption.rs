//! The drive's own encryption (spec scsi.md §10).

use super::settings::is_unsupported;
use super::{LtoDrive, timeouts};
use crate::device::DeviceError;
use crate::drive::EncryptionKey;
use crate::error::{Error, Result};
use crate::scsi::encryption::{
    EncryptionCapabilities, EncryptionMode, EncryptionStatus, PROTOCOL, SetDataEncryption,
};
use crate::scsi::{Command, Condition};
use crate::transport::Data;

const CAPABILITIES: u16 = 0x0010;
const SET: u16 = 0x0010;
const STATUS: u16 = 0x0020;

/// Room for an answer.
const ALLOCATION: u32 = 8196;

type Attempt<T> = std::result::Result<T, DeviceError>;

impl LtoDrive {
    pub(super) fn set_key(&mut self, key: Option<&EncryptionKey>) -> Result<()> {
        const WHAT: &str = "set the encryption key";
        self.must_be_ours(WHAT)?;
        let attempt = match key {
            Some(key) => self.load_key(key),
            None => self.clear_key(),
        };
        attempt.map_err(|error| match error {
            error if key.is_some() && is_unsupported(&error) => {
                Error::Unsupported { what: "hardware encryption", device: "this tape drive" }
            }
            error => self.explain(WHAT, error),
        })
    }

    fn load_key(&mut self, key: &EncryptionKey) -> Attempt<()> {
        let algorithm = self.algorithm()?;
        // From here on the drive may have the key, so that it is taken away again at the end.
        self.key = Some(key.clone());
        self.security_out(&SetDataEncryption::mixed(algorithm, key.clone()).encode())?;
        self.expect_mode(EncryptionMode::Mixed)
    }

    pub(super) fn clear_key(&mut self) -> Attempt<()> {
        let algorithm = match self.algorithm() {
            Ok(algorithm) => algorithm,
            // Without encryption there is nothing to clear.
            Err(_) if self.key.is_none() => return Ok(()),
            Err(error) => return Err(error),
        };
        match self.security_out(&SetDataEncryption::off(algorithm).encode()) {
            // Without medium and without a key of ours there is nothing to clear either.
            Err(error) if self.key.is_none() && is_no_medium(&error) => return Ok(()),
            other => other?,
        }
        self.expect_mode(EncryptionMode::Off)?;
        self.key = None;
        Ok(())
    }

    /// After something took the key.
    pub(super) fn set_key_again(&mut self) -> Attempt<()> {
        match self.key.clone() {
            Some(key) => self.load_key(&key),
            None => self.clear_key(),
        }
    }

    /// Whether there is an algorithm to encrypt with.
    pub(super) fn has_encryption(&mut self) -> Result<bool> {
        match self.capabilities() {
            Ok(capabilities) => Ok(capabilities.aes_gcm().is_ok()),
            Err(error) if is_unsupported(&error) => Ok(false),
            Err(error) => Err(self.explain("ask what it can encrypt with", error)),
        }
    }

    /// Index of AES-256-GCM.
    fn algorithm(&mut self) -> Attempt<u8> {
        Ok(self.capabilities()?.aes_gcm()?.index)
    }

    fn capabilities(&mut self) -> Attempt<EncryptionCapabilities> {
        let bytes = self.security_in(CAPABILITIES)?;
        Ok(EncryptionCapabilities::decode(&bytes)?)
    }

    fn expect_mode(&mut self, expected: EncryptionMode) -> Attempt<()> {
        let mode = self.encryption_mode()?;
        if mode == expected {
            return Ok(());
        }
        Err(DeviceError::Refused(format!("got unexpected encryption mode ({mode:?})")))
    }

    fn encryption_mode(&mut self) -> Attempt<EncryptionMode> {
        let bytes = self.security_in(STATUS)?;
        Ok(EncryptionStatus::decode(&bytes)?.mode()?)
    }

    pub(super) fn ask_encryption(&mut self) -> bool {
        self.encryption_mode().is_ok_and(|mode| mode != EncryptionMode::Off)
    }

    fn security_in(&mut self, page: u16) -> Attempt<Vec<u8>> {
        let command =
            Command::SecurityProtocolIn { protocol: PROTOCOL, page, allocation: ALLOCATION };
        self.device.ask_data(command, ALLOCATION as usize, timeouts::QUICK)
    }

    fn security_out(&mut self, parameters: &[u8]) -> Attempt<()> {
        let command = Command::SecurityProtocolOut {
            protocol: PROTOCOL,
            page: SET,
            length: parameters.len() as u32,
        };
        self.device.ask(command, Data::Out(parameters), timeouts::QUICK).map(drop)
    }
}

fn is_no_medium(error: &DeviceError) -> bool {
    let DeviceError::Sense(sense) = error else { return false };
    matches!(sense.condition(), Condition::NoMedium | Condition::NeedsLoad)
}

//! The drive's own encryption (spec scsi.md §10).

use super::{LtoDrive, timeouts};
use crate::device::DeviceError;
use crate::drive::EncryptionKey;
use crate::error::{Error, Result};
use crate::scsi::encryption::{
    EncryptionCapabilities, EncryptionMode, EncryptionStatus, PROTOCOL, SetDataEncryption, page,
};
use crate::scsi::{Command, Condition};
use crate::transport::Data;

/// Room for an answer.
const ALLOCATION: u32 = 8196;

type Attempt<T> = std::result::Result<T, DeviceError>;

impl LtoDrive {
    pub(super) fn set_key(&mut self, key: Option<&EncryptionKey>) -> Result<()> {
        const WHAT: &str = "set the encryption key";
        self.must_be_ours(WHAT)?;
        let unsupported =
            Error::Unsupported { what: "hardware encryption", device: "this tape drive" };
        let attempt = match key {
            Some(key) => self.load_key(key),
            None => self.clear_key().map(|()| true),
        };
        match attempt {
            Ok(true) => Ok(()),
            Ok(false) => Err(unsupported),
            Err(error) if key.is_some() && error.is_unsupported() => Err(unsupported),
            Err(error) => Err(self.explain(WHAT, error)),
        }
    }

    /// Whether the drive can encrypt with it.
    fn load_key(&mut self, key: &EncryptionKey) -> Attempt<bool> {
        let Some(algorithm) = self.algorithm()? else { return Ok(false) };
        // From here on the drive may have the key, so that it is taken away again at the end.
        self.key = Some(key.clone());
        self.security_out(&SetDataEncryption::mixed(algorithm, key.clone()).encode())?;
        self.expect_mode(EncryptionMode::Mixed)?;
        Ok(true)
    }

    /// Whoever set it.
    pub(super) fn clear_key(&mut self) -> Attempt<()> {
        let cleared = self.try_to_clear_key();
        match cleared {
            // Without medium and without a key of ours there is nothing to clear.
            Err(error) if self.key.is_none() && is_no_medium(&error) => Ok(()),
            cleared => cleared,
        }
    }

    fn try_to_clear_key(&mut self) -> Attempt<()> {
        if self.key.is_none() {
            match self.mode() {
                Ok(EncryptionMode::Off) => return Ok(()),
                Err(error) if is_no_medium(&error) => return Err(error),
                // Whatever it is, it is to be off.
                _ => {}
            }
        }
        // A drive without encryption has no key; that of one which got ours is known.
        let Some(algorithm) = self.algorithm()? else { return Ok(()) };
        self.security_out(&SetDataEncryption::off(algorithm).encode())?;
        self.expect_mode(EncryptionMode::Off)?;
        self.key = None;
        Ok(())
    }

    /// After something took the key.
    pub(super) fn set_key_again(&mut self) -> Attempt<()> {
        let Some(key) = self.key.clone() else { return self.clear_key() };
        if self.load_key(&key)? {
            return Ok(());
        }
        Err(DeviceError::Refused("it no longer says that it can encrypt".to_owned()))
    }

    /// Whether there is an algorithm to encrypt with.
    pub(super) fn has_encryption(&mut self) -> Result<bool> {
        let algorithm = self.algorithm();
        let found =
            algorithm.map_err(|error| self.explain("ask what it can encrypt with", error))?;
        Ok(found.is_some())
    }

    /// Index of AES-256-GCM; `None` where the drive does not have it.
    fn algorithm(&mut self) -> Attempt<Option<u8>> {
        if self.algorithm.is_none() {
            self.algorithm = self.ask_algorithm()?;
        }
        Ok(self.algorithm)
    }

    fn ask_algorithm(&mut self) -> Attempt<Option<u8>> {
        match self.security_in(page::CAPABILITIES) {
            Ok(bytes) => {
                let capabilities = EncryptionCapabilities::decode(&bytes)?;
                Ok(capabilities.aes_gcm().map(|algorithm| algorithm.index))
            }
            Err(error) if error.is_unsupported() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn expect_mode(&mut self, expected: EncryptionMode) -> Attempt<()> {
        let mode = self.mode()?;
        if mode == expected {
            return Ok(());
        }
        Err(DeviceError::Refused(format!("got unexpected encryption mode ({mode:?})")))
    }

    /// What the drive says of its encryption; it is asked again once something came between.
    fn mode(&mut self) -> Attempt<EncryptionMode> {
        if let Some(mode) = self.device.recall(&self.encryption) {
            return Ok(*mode);
        }
        let bytes = self.security_in(page::STATUS)?;
        let mode = EncryptionStatus::decode(&bytes)?.mode()?;
        self.encryption = Some(self.device.note(mode));
        Ok(mode)
    }

    pub(super) fn ask_encryption(&mut self) -> bool {
        self.mode().is_ok_and(|mode| mode != EncryptionMode::Off)
    }

    fn security_in(&mut self, page: u16) -> Attempt<Vec<u8>> {
        let command =
            Command::SecurityProtocolIn { protocol: PROTOCOL, page, allocation: ALLOCATION };
        self.device.ask_data(command, ALLOCATION as usize, timeouts::QUICK)
    }

    fn security_out(&mut self, parameters: &[u8]) -> Attempt<()> {
        self.encryption = None;
        let command = Command::SecurityProtocolOut {
            protocol: PROTOCOL,
            page: page::SET,
            length: parameters.len() as u32,
        };
        self.device.ask(command, Data::Out(parameters), timeouts::QUICK).map(drop)
    }
}

fn is_no_medium(error: &DeviceError) -> bool {
    matches!(error.condition(), Some(Condition::NoMedium | Condition::NeedsLoad))
}

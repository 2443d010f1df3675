//! Tape encryption: pages of SECURITY PROTOCOL IN and OUT, protocol 20h (spec scsi.md §10, SSC-5 §8.6).

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use super::cursor::{DecodeError, Decoded, Reader, Writer, flags};
use crate::drive::EncryptionKey;

/// Number of the security protocol.
pub const PROTOCOL: u8 = 0x20;

/// Codes of pages.
pub mod page {
    /// IN: the pages that can be read.
    pub const SUPPORTED_IN: u16 = 0x0000;
    /// IN: the pages that can be sent.
    pub const SUPPORTED_OUT: u16 = 0x0001;
    /// IN: capabilities. OUT: set data encryption.
    pub const CAPABILITIES: u16 = 0x0010;
    /// OUT: set data encryption.
    pub const SET: u16 = 0x0010;
    /// IN: status.
    pub const STATUS: u16 = 0x0020;
}

/// Code of AES-256 in Galois/counter mode with 128-bit tags.
const AES_256_GCM: u32 = 0x0001_0014;

/// Bytes of its keys.
const KEY_BYTES: u16 = 32;

/// Bytes of a page before its content.
const HEADER_BYTES: usize = 4;

/// Bytes of the page that sets a key, before the key.
const SET_FIXED_BYTES: usize = 16;

/// What these structures are called in messages.
const WHAT: &str = "encryption page";

/// Who does a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Nobody.
    None,
    /// The device, by software.
    Software,
    /// The device, by hardware.
    Hardware,
    /// The device, but controlled from outside.
    External,
}

impl Capability {
    fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Software,
            2 => Self::Hardware,
            _ => Self::External,
        }
    }

    fn to_bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Software => 1,
            Self::Hardware => 2,
            Self::External => 3,
        }
    }
}

/// An algorithm that a drive has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm {
    /// Its index, by which it is named elsewhere.
    pub index: u8,
    /// Bits 7-4 of byte 4: AVFMV, SDK_C, MAC_C, DED_C.
    pub flags: u8,
    /// Who decrypts.
    pub decryption: Capability,
    /// Who encrypts.
    pub encryption: Capability,
    /// Byte 5: AVFCLP, NONCE_C, KADF_C, VCELB_C, UKADF, AKADF.
    pub key_data_flags: u8,
    /// Most bytes of unauthenticated key-associated data.
    pub unauthenticated_max: u16,
    /// Most bytes of authenticated key-associated data.
    pub authenticated_max: u16,
    /// Bytes of a key.
    pub key_bytes: u16,
    /// Byte 12: DKAD_C, EEMC_C, RDMC_C, EAREM.
    pub read_flags: u8,
    /// Most supplemental decryption keys.
    pub supplemental_keys_max: u16,
    /// Code of the algorithm.
    pub code: u32,
}

/// Bytes of an algorithm behind its length field.
const ALGORITHM_BYTES: u16 = 0x14;

impl Algorithm {
    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let index = fields.u8()?;
        fields.skip(1)?;
        if fields.u16()? != ALGORITHM_BYTES {
            return Err(DecodeError::field(WHAT, "got wrong key descriptor len"));
        }
        let mut fields = fields.part(usize::from(ALGORITHM_BYTES))?;
        let (bits, key_data_flags) = (fields.u8()?, fields.u8()?);
        let (unauthenticated_max, authenticated_max) = (fields.u16()?, fields.u16()?);
        let (key_bytes, read_flags) = (fields.u16()?, fields.u8()?);
        fields.skip(1)?;
        let supplemental_keys_max = fields.u16()?;
        fields.skip(4)?;
        Ok(Self {
            index,
            flags: bits & 0xF0,
            decryption: Capability::from_bits(bits >> 2),
            encryption: Capability::from_bits(bits),
            key_data_flags,
            unauthenticated_max,
            authenticated_max,
            key_bytes,
            read_flags,
            supplemental_keys_max,
            code: fields.u32()?,
        })
    }

    fn encode(&self, writer: Writer) -> Writer {
        let capabilities = self.decryption.to_bits() << 2 | self.encryption.to_bits();
        writer
            .u8(self.index)
            .u8(0)
            .u16(ALGORITHM_BYTES)
            .u8(self.flags & 0xF0 | capabilities)
            .u8(self.key_data_flags)
            .u16(self.unauthenticated_max)
            .u16(self.authenticated_max)
            .u16(self.key_bytes)
            .u8(self.read_flags)
            .u8(0)
            .u16(self.supplemental_keys_max)
            .zeros(4)
            .u32(self.code)
    }

    /// Whether it is AES-256-GCM in hardware, both ways.
    fn is_usable(&self) -> bool {
        let hardware = [self.decryption, self.encryption] == [Capability::Hardware; 2];
        hardware && (self.code, self.key_bytes) == (AES_256_GCM, KEY_BYTES)
    }
}

/// Capabilities, page 0010h (IN).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncryptionCapabilities {
    /// Whether the drive can be controlled from outside (EXTDECC), 2 bits.
    pub external_control: u8,
    /// Whether parameters can be set (CFG_P), 2 bits: 1 they can, 2 they cannot.
    pub configuration: u8,
    /// The algorithms.
    pub algorithms: Vec<Algorithm>,
}

impl EncryptionCapabilities {
    /// Decodes the page.
    ///
    /// # Errors
    /// Another page, fewer bytes than announced, `got wrong key descriptor len`. More bytes than announced are cut off.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = open(bytes, page::CAPABILITIES)?;
        let bits = fields.u8()?;
        fields.skip(15)?;
        let mut algorithms = Vec::new();
        while fields.remaining() > 0 {
            algorithms.push(Algorithm::decode(&mut fields)?);
        }
        Ok(Self { external_control: bits >> 2 & 3, configuration: bits & 3, algorithms })
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let bits = (self.external_control & 3) << 2 | self.configuration & 3;
        let header = Writer::new().u8(bits).zeros(15);
        let one = |writer: Writer, algorithm: &Algorithm| algorithm.encode(writer);
        close(page::CAPABILITIES, self.algorithms.iter().fold(header, one))
    }

    /// The first algorithm that is AES-256-GCM in hardware, where the drive has one.
    pub fn aes_gcm(&self) -> Option<&Algorithm> {
        self.algorithms.iter().find(|algorithm| algorithm.is_usable())
    }
}

/// Data that go with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAssociatedData {
    /// What it is: 0 unauthenticated, 1 authenticated, 2 nonce, 3 metadata.
    pub kind: u8,
    /// Whether it is authenticated, 3 bits; 1 where that is not told.
    pub authenticated: u8,
    /// The data, at most 65535 bytes.
    pub data: Vec<u8>,
}

impl KeyAssociatedData {
    fn decode_all(mut fields: Reader<'_>) -> Decoded<Vec<Self>> {
        let mut all = Vec::new();
        while fields.remaining() > 0 {
            let (kind, bits) = (fields.u8()?, fields.u8()?);
            let length = usize::from(fields.u16()?);
            let data = fields.bytes(length)?.to_vec();
            all.push(Self { kind, authenticated: bits & 7, data });
        }
        Ok(all)
    }

    fn encode(&self, writer: Writer) -> Writer {
        let header = writer.u8(self.kind).u8(self.authenticated & 7);
        header.u16(self.data.len() as u16).bytes(&self.data)
    }
}

fn encode_all(writer: Writer, all: &[KeyAssociatedData]) -> Writer {
    all.iter().fold(writer, |writer, one| one.encode(writer))
}

/// What is encrypted and decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionMode {
    /// Nothing.
    Off,
    /// All is encrypted; only encrypted blocks are read.
    On,
    /// All is encrypted; blocks of both kinds are read.
    Mixed,
    /// All is encrypted; encrypted blocks are read as they are.
    RawRead,
}

impl EncryptionMode {
    /// From the numbers of the encryption and the decryption mode.
    ///
    /// # Errors
    /// `unknown encryption mode`.
    pub fn from_numbers(encryption: u8, decryption: u8) -> Decoded<Self> {
        match (encryption, decryption) {
            (0, 0) => Ok(Self::Off),
            (2, 1) => Ok(Self::RawRead),
            (2, 2) => Ok(Self::On),
            (2, 3) => Ok(Self::Mixed),
            _ => Err(DecodeError::field(
                WHAT,
                format!("unknown encryption mode ({encryption}, {decryption})"),
            )),
        }
    }

    /// The numbers of the encryption and the decryption mode.
    pub fn numbers(self) -> (u8, u8) {
        match self {
            Self::Off => (0, 0),
            Self::RawRead => (2, 1),
            Self::On => (2, 2),
            Self::Mixed => (2, 3),
        }
    }
}

/// Set data encryption, page 0010h (OUT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetDataEncryption {
    /// For whom, 3 bits: 2 for all hosts.
    pub scope: u8,
    /// Locked against other hosts.
    pub lock: bool,
    /// Byte 5: CEEM, RDMC, SDK, CKOD, CKORP, CKORL.
    pub controls: u8,
    /// Encryption mode: 0 off, 1 external, 2 encrypt.
    pub encryption: u8,
    /// Decryption mode: 0 off, 1 raw, 2 decrypt, 3 mixed.
    pub decryption: u8,
    /// Index of the algorithm.
    pub algorithm: u8,
    /// Format of the key: 0 plain.
    pub key_format: u8,
    /// Format of the key-associated data.
    pub data_format: u8,
    /// The key.
    pub key: Option<EncryptionKey>,
    /// What goes with the key.
    pub associated: Vec<KeyAssociatedData>,
}

impl SetDataEncryption {
    /// The scope that includes all hosts.
    pub const ALL_HOSTS: u8 = 2;

    /// Sets a key, so that clear blocks can still be read.
    pub fn mixed(algorithm: u8, key: EncryptionKey) -> Self {
        Self::of(algorithm, EncryptionMode::Mixed, Some(key))
    }

    /// Clears the key.
    pub fn off(algorithm: u8) -> Self {
        Self::of(algorithm, EncryptionMode::Off, None)
    }

    fn of(algorithm: u8, mode: EncryptionMode, key: Option<EncryptionKey>) -> Self {
        let (encryption, decryption) = mode.numbers();
        Self {
            scope: Self::ALL_HOSTS,
            lock: false,
            controls: 0,
            encryption,
            decryption,
            algorithm,
            key_format: 0,
            data_format: 0,
            key,
            associated: Vec::new(),
        }
    }

    /// Decodes the page.
    ///
    /// # Errors
    /// Another page, fewer bytes than announced, a key that has neither 0 nor 32 bytes.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = open(bytes, page::SET)?;
        let (scope, controls) = (fields.u8()?, fields.u8()?);
        let (encryption, decryption) = (fields.u8()?, fields.u8()?);
        let (algorithm, key_format, data_format) = (fields.u8()?, fields.u8()?, fields.u8()?);
        fields.skip(7)?;
        let key = match fields.u16()? {
            0 => None,
            KEY_BYTES => fields.bytes(KEY_BYTES.into())?.try_into().ok().map(EncryptionKey::new),
            other => {
                return Err(DecodeError::field(WHAT, format!("wrong key length ({other})")));
            }
        };
        Ok(Self {
            scope: scope >> 5,
            lock: scope & 0x01 != 0,
            controls,
            encryption,
            decryption,
            algorithm,
            key_format,
            data_format,
            key,
            associated: KeyAssociatedData::decode_all(fields)?,
        })
    }

    /// Encodes it. The bytes hold the key, and are overwritten when they go.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let key: &[u8] = self.key.as_ref().map_or(&[], |key| key.expose());
        let associated = encode_all(Writer::new(), &self.associated).finish();
        let length = SET_FIXED_BYTES + key.len() + associated.len();
        // With room for all of it, the key is never left behind by a vector that grows.
        let encoded = Writer::with_capacity(HEADER_BYTES + length)
            .u16(page::SET)
            .u16(length as u16)
            .u8(self.scope << 5 | flags(&[(self.lock, 0x01)]))
            .u8(self.controls)
            .u8(self.encryption)
            .u8(self.decryption)
            .u8(self.algorithm)
            .u8(self.key_format)
            .u8(self.data_format)
            .zeros(7)
            .u16(key.len() as u16)
            .bytes(key)
            .bytes(&associated);
        Zeroizing::new(encoded.finish())
    }
}

/// Status, page 0020h (IN).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncryptionStatus {
    /// For which hosts this is told, 3 bits.
    pub host_scope: u8,
    /// For whom the key was set, 3 bits.
    pub key_scope: u8,
    /// Encryption mode.
    pub encryption: u8,
    /// Decryption mode.
    pub decryption: u8,
    /// Index of the algorithm.
    pub algorithm: u8,
    /// Counts changes of the key.
    pub key_instance: u32,
    /// Byte 12: PARAMETERS CONTROL, VCELB, CEEMS, RDMD.
    pub controls: u8,
    /// Format of the key-associated data.
    pub data_format: u8,
    /// Supplemental decryption keys that are set.
    pub supplemental_keys: u16,
    /// What goes with the key.
    pub associated: Vec<KeyAssociatedData>,
}

impl EncryptionStatus {
    /// Decodes the page.
    ///
    /// # Errors
    /// Another page, fewer bytes than announced or than 24.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = open(bytes, page::STATUS)?;
        let scope = fields.u8()?;
        let (encryption, decryption, algorithm) = (fields.u8()?, fields.u8()?, fields.u8()?);
        let key_instance = fields.u32()?;
        let (controls, data_format) = (fields.u8()?, fields.u8()?);
        let supplemental_keys = fields.u16()?;
        fields.skip(8)?;
        Ok(Self {
            host_scope: scope >> 5,
            key_scope: scope & 7,
            encryption,
            decryption,
            algorithm,
            key_instance,
            controls,
            data_format,
            supplemental_keys,
            associated: KeyAssociatedData::decode_all(fields)?,
        })
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let content = Writer::new()
            .u8(self.host_scope << 5 | self.key_scope & 7)
            .u8(self.encryption)
            .u8(self.decryption)
            .u8(self.algorithm)
            .u32(self.key_instance)
            .u8(self.controls)
            .u8(self.data_format)
            .u16(self.supplemental_keys)
            .zeros(8);
        close(page::STATUS, encode_all(content, &self.associated))
    }

    /// What is encrypted.
    ///
    /// # Errors
    /// `unknown encryption mode`.
    pub fn mode(&self) -> Decoded<EncryptionMode> {
        EncryptionMode::from_numbers(self.encryption, self.decryption)
    }
}

/// The pages that there are, pages 0000h and 0001h (IN).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SupportedPages {
    /// Codes, ascending.
    pub codes: Vec<u16>,
}

impl SupportedPages {
    /// Decodes the page with that code.
    ///
    /// # Errors
    /// Another page, fewer bytes than announced, half a code.
    pub fn decode(bytes: &[u8], page: u16) -> Decoded<Self> {
        let mut fields = open(bytes, page)?;
        let mut codes = Vec::new();
        while fields.remaining() > 0 {
            codes.push(fields.u16()?);
        }
        Ok(Self { codes })
    }

    /// Encodes the page with that code.
    pub fn encode(&self, page: u16) -> Vec<u8> {
        close(page, self.codes.iter().fold(Writer::new(), |writer, code| writer.u16(*code)))
    }
}

/// The content of the page that was asked for.
fn open(bytes: &[u8], page: u16) -> Decoded<Reader<'_>> {
    let mut fields = Reader::new(WHAT, bytes);
    let code = fields.u16()?;
    if code != page {
        return Err(DecodeError::field(WHAT, format!("wrong page code ({code:04X}h)")));
    }
    let length = usize::from(fields.u16()?);
    fields.part(length)
}

fn close(page: u16, content: Writer) -> Vec<u8> {
    let content = content.finish();
    Writer::new().u16(page).u16(content.len() as u16).bytes(&content).finish()
}

//! zstd as blobs use it: one level, bounded output, and contexts that are kept.
//!
//! Making a context costs more than decoding a small chunk, so each thread keeps one for either
//! direction. They hold no state from one call to the next, and a context that grew unusually large
//! is given back.

use std::cell::RefCell;

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, ErrorCode, InBuffer, OutBuffer, ResetDirective, compress_bound,
    get_error_name, is_error_kind,
};

use crate::error::{FormatError, FormatResult};

/// PBS compresses everything at this level.
const LEVEL: i32 = 1;
/// Up to this limit the output is decoded straight into a buffer of that size: the largest chunk.
const ONE_SHOT_BYTES_MAX: usize = 16 << 20;
/// First buffer for output of unknown size.
const FIRST_BUFFER_BYTES: usize = 64 << 10;
/// A thread does not keep a decoder with a window larger than this.
const KEPT_CONTEXT_BYTES_MAX: usize = 4 << 20;

thread_local! {
    static ENCODER: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECODER: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// How many bytes [`compress`] may need for `length` bytes of input.
pub fn bound(length: usize) -> usize {
    compress_bound(length)
}

/// Compresses into `target`, which must hold [`bound`] bytes; returns how many were written.
pub fn compress(data: &[u8], target: &mut [u8]) -> FormatResult<usize> {
    ENCODER.with_borrow_mut(|kept| {
        let mut context = match kept.take() {
            Some(context) => context,
            None => new_encoder()?,
        };
        let length = context.compress2(target, data).map_err(|code| {
            FormatError::invalid(format!("cannot compress with zstd: {}", get_error_name(code)))
        })?;
        *kept = Some(context);
        Ok(length)
    })
}

fn new_encoder() -> FormatResult<CCtx<'static>> {
    let mut context = CCtx::try_create().ok_or_else(out_of_memory)?;
    context.set_parameter(CParameter::CompressionLevel(LEVEL)).map_err(|_| out_of_memory())?;
    Ok(context)
}

/// Decodes one frame or several on end, with or without their content size, to at most `limit` bytes.
pub fn decompress(data: &[u8], limit: usize) -> FormatResult<Vec<u8>> {
    if data.is_empty() {
        return Err(FormatError::corrupt("a compressed blob holds no zstd frame"));
    }
    DECODER.with_borrow_mut(|kept| {
        let mut context = match kept.take() {
            Some(context) => context,
            None => DCtx::try_create().ok_or_else(out_of_memory)?,
        };
        let plain = if limit <= ONE_SHOT_BYTES_MAX {
            one_shot(&mut context, data, limit)
        } else {
            stream(&mut context, data, limit)
        }?;
        if context.sizeof() <= KEPT_CONTEXT_BYTES_MAX {
            *kept = Some(context);
        }
        Ok(plain)
    })
}

fn one_shot(context: &mut DCtx<'_>, data: &[u8], limit: usize) -> FormatResult<Vec<u8>> {
    let mut plain = Vec::with_capacity(limit);
    context.decompress(&mut plain, data).map_err(|code| refusal(code, limit))?;
    finish(plain, limit)
}

/// For limits that are too generous to allocate at once: the buffer doubles as output arrives.
fn stream(context: &mut DCtx<'_>, data: &[u8], limit: usize) -> FormatResult<Vec<u8>> {
    context.reset(ResetDirective::SessionOnly).map_err(|code| refusal(code, limit))?;
    let mut plain = Vec::with_capacity(FIRST_BUFFER_BYTES);
    let mut input = InBuffer::around(data);
    loop {
        let start = plain.len();
        let mut output = OutBuffer::around_pos(&mut plain, start);
        let wanted = context
            .decompress_stream(&mut output, &mut input)
            .map_err(|code| refusal(code, limit))?;
        let full = plain.len() == plain.capacity();
        let read_all = input.pos() == data.len();
        if plain.len() > limit || (read_all && wanted == 0) {
            return finish(plain, limit);
        }
        if full {
            plain.reserve_exact(plain.capacity().min(limit + 1 - plain.len()));
        } else if read_all {
            return Err(FormatError::corrupt("the zstd data ends inside of a frame"));
        }
    }
}

fn finish(mut plain: Vec<u8>, limit: usize) -> FormatResult<Vec<u8>> {
    if plain.len() > limit {
        return Err(too_large(limit));
    }
    plain.shrink_to_fit();
    Ok(plain)
}

fn refusal(code: ErrorCode, limit: usize) -> FormatError {
    if is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) {
        return too_large(limit);
    }
    FormatError::corrupt(format!("invalid zstd data: {}", get_error_name(code)))
}

fn too_large(limit: usize) -> FormatError {
    FormatError::TooLarge { what: "the decompressed data", limit: limit as u64 }
}

fn out_of_memory() -> FormatError {
    FormatError::Io { what: "no memory for zstd", source: std::io::ErrorKind::OutOfMemory.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(data: &[u8]) -> Vec<u8> {
        let mut target = vec![0; bound(data.len())];
        let length = compress(data, &mut target).unwrap();
        target.truncate(length);
        target
    }

    /// As stream encoders write it: no content size, and a checksum.
    fn sizeless_frame(data: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        std::io::Write::write_all(&mut encoder, data).unwrap();
        encoder.finish().unwrap()
    }

    const LIMITS: [usize; 2] = [1 << 20, 128 << 20];

    #[test]
    fn frames_of_all_kinds_decode_in_both_ways() {
        let data: Vec<u8> = (0..300_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let data = &data[..900_000];
        for limit in LIMITS {
            assert_eq!(decompress(&frame(data), limit).unwrap(), data);
            assert_eq!(decompress(&sizeless_frame(data), limit).unwrap(), data);
            assert_eq!(decompress(&frame(b""), limit).unwrap(), b"");
            let several = [frame(b"one "), sizeless_frame(b"two "), frame(b"three")].concat();
            assert_eq!(decompress(&several, limit).unwrap(), b"one two three");
        }
    }

    #[test]
    fn the_limit_is_exact() {
        for size in [1000, (16 << 20) + 5] {
            for bomb in [frame(&vec![0; size]), sizeless_frame(&vec![0; size])] {
                assert_eq!(decompress(&bomb, size).unwrap().len(), size);
                let error = decompress(&bomb, size - 1).unwrap_err();
                assert!(matches!(error, FormatError::TooLarge { .. }), "{error}");
            }
        }
    }

    #[test]
    fn damaged_frames_are_corrupt() {
        for limit in LIMITS {
            let whole = sizeless_frame(b"some text that is long enough to be cut");
            for length in 0..whole.len() {
                let error = decompress(&whole[..length], limit).unwrap_err();
                assert!(matches!(error, FormatError::Corrupt { .. }), "{length}: {error}");
            }
            let error = decompress(&[whole, b"rubbish".to_vec()].concat(), limit).unwrap_err();
            assert!(matches!(error, FormatError::Corrupt { .. }), "{error}");
        }
    }
}

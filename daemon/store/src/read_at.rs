//! Reading at a place, without a cursor that readers would have to share.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

/// Something with a length that can be read at any offset, by several readers at once.
pub trait ReadAt {
    /// Fills `buffer` from `offset`; running past the end is `UnexpectedEof`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is nothing to read.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let found = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..)?.get(..buffer.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }
}

macro_rules! read_at_through {
    ($([$($generics:tt)*] $type:ty),*) => {$(
        impl<$($generics)*> ReadAt for $type {
            fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
                ReadAt::read_exact_at(&**self, buffer, offset)
            }

            fn len(&self) -> io::Result<u64> {
                ReadAt::len(&**self)
            }
        }
    )*};
}

read_at_through!([] Bytes, [] Vec<u8>, [T: ReadAt + ?Sized] &T, [T: ReadAt + ?Sized] Arc<T>, [T: ReadAt + ?Sized] Box<T>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_end_where_they_end() {
        let data = Bytes::from_static(b"0123456789");
        let mut buffer = [0; 3];
        Arc::new(data.clone()).read_exact_at(&mut buffer, 7).unwrap();
        assert_eq!(&buffer, b"789");
        for offset in [8, 11, u64::MAX] {
            let error = ReadAt::read_exact_at(&data, &mut buffer, offset).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        assert_eq!(ReadAt::len(&data).unwrap(), 10);
    }
}

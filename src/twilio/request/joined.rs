//! A text put together from many short pieces.

/// As many bytes are copied at once, which is more than most names and values have.
const PIECE: usize = 48;

/// A text put together from short pieces, with room for a known length from the start.
///
/// A piece is copied by a fixed number of bytes, most often more than it has, and what follows is written over that: most of a
/// call of the system's `memcpy` would go into finding out how long the piece is.
pub(crate) struct Joined {
    bytes: Vec<u8>,
    length: usize,
}

impl Joined {
    /// Room for this many bytes in all; to put more into it panics.
    pub(crate) fn with_room_for(bytes: usize) -> Self {
        Self {
            bytes: vec![0; bytes + PIECE],
            length: 0,
        }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Puts a byte behind the others.
    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    /// Puts the first `length` bytes behind the others. It is quick as long as what they are taken from goes on behind them.
    #[inline]
    pub(crate) fn append(&mut self, from: &[u8], length: usize) {
        let to = &mut self.bytes[self.length..];
        match (from.first_chunk::<PIECE>(), to.first_chunk_mut::<PIECE>()) {
            (Some(from), Some(to)) if length <= PIECE => *to = *from,
            _ => copy(&from[..length], to),
        }
        self.length += length;
    }

    /// All bytes.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.length);
        self.bytes
    }
}

/// Apart, or the compiler makes one call of both ways to copy.
#[cold]
#[inline(never)]
fn copy(from: &[u8], to: &mut [u8]) {
    to[..from.len()].copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_length_stand_side_by_side() {
        let from: Vec<u8> = (0..=u8::MAX).collect();
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 100] {
            // The last piece ends with what it is taken from.
            let last = &from[from.len() - length..];
            let mut joined = Joined::with_room_for(2 * length + 1);
            joined.append(&from, length);
            joined.push(b'!');
            joined.append(last, length);
            assert_eq!(joined.len(), 2 * length + 1);
            assert_eq!(joined.into_bytes(), [&from[..length], b"!", last].concat());
        }
    }
}

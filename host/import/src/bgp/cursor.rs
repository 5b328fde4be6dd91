//! Reads fields in network byte order from bytes that may lie. It never reads past its end and never panics.

/// Why a record cannot be read; a constant of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// The bytes not read yet.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a>(&'a [u8]);

const SHORT: Malformed = Malformed("a field is cut short");

impl<'a> Cursor<'a> {
    /// All of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What is left.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer; the reason is `otherwise`.
    pub fn take(&mut self, count: usize, otherwise: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed(otherwise))?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// When there is none.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// An AS number of two or four bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn asn(&mut self, width: AsWidth) -> Result<u32, Malformed> {
        match width {
            AsWidth::Two => self.u16().map(u32::from),
            AsWidth::Four => self.u32(),
        }
    }

    /// An address of a family, IPv4 mapped.
    ///
    /// # Errors
    /// When there are fewer bytes.
    pub fn address(&mut self, family: Family) -> Result<[u8; 16], Malformed> {
        match family {
            Family::V4 => self.array().map(mapped),
            Family::V6 => self.array(),
        }
    }
}

/// Bytes of an AS number on the wire (RFC 6793).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsWidth {
    /// Two bytes.
    Two,
    /// Four bytes.
    Four,
}

impl AsWidth {
    /// Bytes of one AS number.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Two => Self::Four,
            Self::Four => Self::Two,
        }
    }
}

/// Address family of a prefix (IANA address family numbers 1 and 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an AFI, if it is one of addresses.
    #[must_use]
    pub const fn of(afi: u16) -> Option<Self> {
        match afi {
            1 => Some(Self::V4),
            2 => Some(Self::V6),
            _ => None,
        }
    }

    /// Bits of an address.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// An IPv4 address mapped into `::ffff:0:0/96`.
#[must_use]
pub fn mapped(v4: [u8; 4]) -> [u8; 16] {
    let mut address = [0; 16];
    address[10] = 0xff;
    address[11] = 0xff;
    address[12..].copy_from_slice(&v4);
    address
}

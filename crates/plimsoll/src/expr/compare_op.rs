//! The six comparisons.
//!
//! Promises: each has one symbol, one word for query parameters and one mirror image.
//! Never: a meaning for NULL; that is the evaluator's.

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `=`
    Equal,
    /// `!=`, `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl CompareOp {
    /// Symbol and word of each, in the order of the variants: [`Self::symbol`] indexes it.
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Equal, "=", "eq"),
        (Self::NotEqual, "!=", "ne"),
        (Self::Less, "<", "lt"),
        (Self::LessOrEqual, "<=", "lte"),
        (Self::Greater, ">", "gt"),
        (Self::GreaterOrEqual, ">=", "gte"),
    ];

    /// The operator as it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The operator that the word of `filter[price][gte]=10` names: `eq`, `ne`, `lt`, `lte`, `gt`
    /// or `gte`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(op, _, name)| (name == word).then_some(op))
    }

    /// The operator that means the same with its sides exchanged.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// Whether two sides in this order satisfy the operator.
    #[must_use]
    pub const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

//! Cuts one expression into tokens, from behind its `${` to its `}`.

use crate::error::{ParseError, ParseErrorKind};
use crate::expression::{Binary, Span};
use crate::value::Value;

/// Bytes of one `${...}`. Real ones have a few hundred; this keeps the tokens of one expression small.
pub const EXPRESSION_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    Literal(Value),
    Name,
    Operator(Binary),
    Not,
    Empty,
    /// `instanceof`: reserved, without a meaning.
    Reserved,
    Question,
    Colon,
    Comma,
    Dot,
    OpenParenthesis,
    CloseParenthesis,
    OpenBracket,
    CloseBracket,
    /// The closing brace.
    End,
}

/// The tokens from `start` (behind `${`) to the closing brace; the last one is [`TokenKind::End`].
pub(crate) fn tokens(text: &str, start: usize) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { text, position: start, start };
    let mut found = Vec::new();
    loop {
        let token = lexer.next()?;
        let is_end = token.kind == TokenKind::End;
        found.push(token);
        if is_end {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    position: usize,
    start: usize,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token, ParseError> {
        self.skip(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
        if self.position - self.start > EXPRESSION_BYTES_MAX {
            return Err(
                self.error(self.start, ParseErrorKind::ExpressionTooLong(EXPRESSION_BYTES_MAX))
            );
        }
        let from = self.position;
        let kind = match self.peek() {
            None => {
                return Err(ParseError {
                    kind: ParseErrorKind::Unclosed,
                    span: Span::new(self.start - 2, self.start),
                });
            }
            Some('\'' | '"') => self.string()?,
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some('.') if self.peek_second().is_some_and(|c| c.is_ascii_digit()) => self.number()?,
            Some(c) if is_name_start(c) => self.word(),
            Some(c) => self.symbol(c)?,
        };
        Ok(Token { kind, span: Span::new(from, self.position) })
    }

    fn peek(&self) -> Option<char> {
        self.text[self.position..].chars().next()
    }

    fn peek_second(&self) -> Option<char> {
        self.text[self.position..].chars().nth(1)
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = &self.text[self.position..];
        self.position += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    /// Skips the literal bytes given, which are ASCII.
    fn accept(&mut self, wanted: &str) -> bool {
        let found = self.text[self.position..].starts_with(wanted);
        if found {
            self.position += wanted.len();
        }
        found
    }

    fn error(&self, from: usize, kind: ParseErrorKind) -> ParseError {
        ParseError { kind, span: Span::new(from, self.position) }
    }

    fn string(&mut self) -> Result<TokenKind, ParseError> {
        let from = self.position;
        let mut content = String::new();
        let mut characters = self.text[from..].char_indices();
        let quote = characters.next().map(|(_, c)| c);
        while let Some((offset, c)) = characters.next() {
            match c {
                _ if Some(c) == quote => {
                    self.position = from + offset + 1;
                    return Ok(TokenKind::Literal(Value::from(content)));
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('\\' | '\'' | '"'))) => content.push(escaped),
                    Some((after, other)) => {
                        self.position = from + after + other.len_utf8();
                        return Err(self.error(from + offset, ParseErrorKind::UnknownEscape(other)));
                    }
                    None => break,
                },
                _ => content.push(c),
            }
        }
        self.position = from + 1;
        Err(self.error(from, ParseErrorKind::UnclosedString))
    }

    fn number(&mut self) -> Result<TokenKind, ParseError> {
        let from = self.position;
        self.skip(|c| c.is_ascii_digit());
        let mut is_float = self.accept(".");
        self.skip(|c| c.is_ascii_digit());
        is_float |= self.exponent();
        let digits = &self.text[from..self.position];
        if is_float {
            Ok(TokenKind::Literal(Value::Float(
                digits.parse().expect("digits, one point, an exponent: all that a float needs"),
            )))
        } else {
            let number = digits.parse().map_err(|_| {
                self.error(from, ParseErrorKind::NumberOutOfRange(digits.to_owned()))
            })?;
            Ok(TokenKind::Literal(Value::Int(number)))
        }
    }

    /// Takes `e5`, `E+5` or `e-5`; an `e` without digits belongs to the next word.
    fn exponent(&mut self) -> bool {
        let before = self.position;
        if self.accept("e") || self.accept("E") {
            let _has_sign = self.accept("+") || self.accept("-");
            let digits_from = self.position;
            self.skip(|c| c.is_ascii_digit());
            if self.position > digits_from {
                return true;
            }
        }
        self.position = before;
        false
    }

    fn word(&mut self) -> TokenKind {
        let from = self.position;
        self.skip(is_name_part);
        match &self.text[from..self.position] {
            "true" => TokenKind::Literal(Value::Bool(true)),
            "false" => TokenKind::Literal(Value::Bool(false)),
            "null" => TokenKind::Literal(Value::Null),
            "and" => TokenKind::Operator(Binary::And),
            "or" => TokenKind::Operator(Binary::Or),
            "eq" => TokenKind::Operator(Binary::Equal),
            "ne" => TokenKind::Operator(Binary::NotEqual),
            "lt" => TokenKind::Operator(Binary::Less),
            "gt" => TokenKind::Operator(Binary::Greater),
            "le" => TokenKind::Operator(Binary::LessOrEqual),
            "ge" => TokenKind::Operator(Binary::GreaterOrEqual),
            "div" => TokenKind::Operator(Binary::Divide),
            "mod" => TokenKind::Operator(Binary::Modulo),
            "not" => TokenKind::Not,
            "empty" => TokenKind::Empty,
            "instanceof" => TokenKind::Reserved,
            _ => TokenKind::Name,
        }
    }

    fn symbol(&mut self, first: char) -> Result<TokenKind, ParseError> {
        for (symbol, kind) in TWO_CHARACTERS {
            if self.accept(symbol) {
                return Ok(kind);
            }
        }
        let from = self.position;
        self.position += first.len_utf8();
        one_character(first)
            .ok_or_else(|| self.error(from, ParseErrorKind::UnexpectedCharacter(first)))
    }
}

const TWO_CHARACTERS: [(&str, TokenKind); 6] = [
    ("==", TokenKind::Operator(Binary::Equal)),
    ("!=", TokenKind::Operator(Binary::NotEqual)),
    ("<=", TokenKind::Operator(Binary::LessOrEqual)),
    (">=", TokenKind::Operator(Binary::GreaterOrEqual)),
    ("&&", TokenKind::Operator(Binary::And)),
    ("||", TokenKind::Operator(Binary::Or)),
];

fn one_character(c: char) -> Option<TokenKind> {
    Some(match c {
        '+' => TokenKind::Operator(Binary::Add),
        '-' => TokenKind::Operator(Binary::Subtract),
        '*' => TokenKind::Operator(Binary::Multiply),
        '/' => TokenKind::Operator(Binary::Divide),
        '%' => TokenKind::Operator(Binary::Modulo),
        '<' => TokenKind::Operator(Binary::Less),
        '>' => TokenKind::Operator(Binary::Greater),
        '!' => TokenKind::Not,
        '?' => TokenKind::Question,
        ':' => TokenKind::Colon,
        ',' => TokenKind::Comma,
        '.' => TokenKind::Dot,
        '(' => TokenKind::OpenParenthesis,
        ')' => TokenKind::CloseParenthesis,
        '[' => TokenKind::OpenBracket,
        ']' => TokenKind::CloseBracket,
        '}' => TokenKind::End,
        _ => return None,
    })
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$')
}

fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_numeric()
}

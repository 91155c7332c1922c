//! From tokens to the tree of one expression. Recursion is bounded by [`EXPRESSION_DEPTH_MAX`], so that no text can exhaust the stack.

use std::sync::Arc;

use crate::error::{ParseError, ParseErrorKind};
use crate::expression::{Binary, Call, Expression, Node, Span, Unary};
use crate::token::{Token, TokenKind, tokens};
use crate::value::Value;

/// Nesting of parentheses, operators, calls and choices in one expression. People write fewer than ten; a level costs up to ten
/// kilobytes of stack in an unoptimised build, and threads have one or two megabytes.
pub const EXPRESSION_DEPTH_MAX: usize = 64;

type Result<T> = std::result::Result<T, ParseError>;

/// Parses the expression that starts at `start`, behind its `${`. Returns it with the position behind its `}`.
pub(crate) fn parse_expression(text: &str, start: usize) -> Result<(Expression, usize)> {
    let tokens = tokens(text, start)?;
    let mut parser = Parser { text, tokens, next: 0, depth: 0 };
    if parser.kind() == &TokenKind::End {
        let end = parser.span().end;
        return Err(ParseError { kind: ParseErrorKind::Empty, span: Span::new(start - 2, end) });
    }
    let expression = parser.choice()?;
    let end = parser.expect(&TokenKind::End, "an operator or the end of the expression")?;
    Ok((expression, end.end))
}

struct Parser<'a> {
    text: &'a str,
    /// Ends with [`TokenKind::End`], which is consumed last.
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    /// `condition ? yes : no`, or just the condition.
    fn choice(&mut self) -> Result<Expression> {
        let condition = self.chains(0)?;
        if !self.accept(&TokenKind::Question) {
            return Ok(condition);
        }
        self.enter()?;
        let yes = self.choice()?;
        self.expect(&TokenKind::Colon, "`:` and the other value of the choice")?;
        let no = self.choice()?;
        self.depth -= 1;
        let span = condition.span.to(no.span);
        Ok(Expression {
            node: Node::Choice {
                condition: Box::new(condition),
                yes: Box::new(yes),
                no: Box::new(no),
            },
            span,
        })
    }

    /// Chains of operators that bind at least as tightly as `level_min`, each over operands of the next level.
    fn chains(&mut self, level_min: u8) -> Result<Expression> {
        let mut left = self.unary()?;
        while let Some(level) =
            self.operator().map(Binary::level).filter(|level| *level >= level_min)
        {
            let rest = self.operands(level)?;
            let span = rest.last().map_or(left.span, |(_, last)| left.span.to(last.span));
            left = Expression { node: Node::Chain { first: Box::new(left), rest }, span };
        }
        Ok(left)
    }

    /// The operators of one level that stand here, each with what is on its right.
    fn operands(&mut self, level: u8) -> Result<Vec<(Binary, Expression)>> {
        let mut rest = Vec::new();
        while let Some(operator) = self.operator().filter(|operator| operator.level() == level) {
            self.next += 1;
            self.enter()?;
            rest.push((operator, self.chains(level + 1)?));
            self.depth -= 1;
        }
        Ok(rest)
    }

    fn operator(&self) -> Option<Binary> {
        match self.kind() {
            TokenKind::Operator(operator) => Some(*operator),
            _ => None,
        }
    }

    fn unary(&mut self) -> Result<Expression> {
        let operator = match self.kind() {
            TokenKind::Operator(Binary::Subtract) => Unary::Minus,
            TokenKind::Not => Unary::Not,
            TokenKind::Empty => Unary::Empty,
            _ => return self.path(),
        };
        let start = self.take();
        self.enter()?;
        let operand = self.unary()?;
        self.depth -= 1;
        let span = start.to(operand.span);
        Ok(Expression { node: Node::Unary { operator, operand: Box::new(operand) }, span })
    }

    /// A value and the properties asked of it.
    fn path(&mut self) -> Result<Expression> {
        let base = self.primary()?;
        let mut span = base.span;
        let mut keys = Vec::new();
        loop {
            if self.accept(&TokenKind::Dot) {
                let name = self.name("a property's name")?;
                span = span.to(name);
                keys.push(Expression {
                    node: Node::Literal(Value::text(&self.text[name.start..name.end])),
                    span: name,
                });
            } else if self.accept(&TokenKind::OpenBracket) {
                keys.push(self.nested()?);
                span = span.to(self.expect(&TokenKind::CloseBracket, "`]`")?);
            } else if keys.is_empty() {
                return Ok(base);
            } else {
                return Ok(Expression { node: Node::Path { base: Box::new(base), keys }, span });
            }
        }
    }

    fn primary(&mut self) -> Result<Expression> {
        match self.kind() {
            TokenKind::Literal(value) => {
                let node = Node::Literal(value.clone());
                Ok(Expression { node, span: self.take() })
            }
            TokenKind::OpenParenthesis => {
                let start = self.take();
                let inner = self.nested()?;
                let end = self.expect(&TokenKind::CloseParenthesis, "`)`")?;
                Ok(Expression { node: inner.node, span: start.to(end) })
            }
            TokenKind::Name => self.name_or_call(),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// `name`, `name(...)` or `prefix:name(...)`. Without the parenthesis a colon belongs to a choice.
    fn name_or_call(&mut self) -> Result<Expression> {
        use TokenKind::{Colon, Name, OpenParenthesis};
        let first = self.take();
        match (self.kind(), self.kind_at(1), self.kind_at(2)) {
            (OpenParenthesis, _, _) => self.call(None, first, first),
            (Colon, Some(Name), Some(OpenParenthesis)) => {
                self.next += 1;
                let name = self.take();
                self.call(Some(self.word(first)), first, name)
            }
            _ => Ok(Expression { node: Node::Variable(self.word(first)), span: first }),
        }
    }

    fn call(&mut self, prefix: Option<Arc<str>>, first: Span, name: Span) -> Result<Expression> {
        self.expect(&TokenKind::OpenParenthesis, "`(`")?;
        let mut arguments = Vec::new();
        let mut end = self.span();
        if !self.accept(&TokenKind::CloseParenthesis) {
            arguments.push(self.nested()?);
            while self.accept(&TokenKind::Comma) {
                arguments.push(self.nested()?);
            }
            end = self.expect(&TokenKind::CloseParenthesis, "`,` or `)`")?;
        }
        let call = Call { prefix, name: self.word(name), name_span: first.to(name), arguments };
        Ok(Expression { node: Node::Call(Box::new(call)), span: first.to(end) })
    }

    fn nested(&mut self) -> Result<Expression> {
        self.enter()?;
        let inner = self.choice()?;
        self.depth -= 1;
        Ok(inner)
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            return Err(ParseError {
                kind: ParseErrorKind::TooDeep(EXPRESSION_DEPTH_MAX),
                span: self.span(),
            });
        }
        Ok(())
    }

    fn kind(&self) -> &TokenKind {
        self.kind_at(0).expect("the end token is consumed last")
    }

    fn kind_at(&self, ahead: usize) -> Option<&TokenKind> {
        self.tokens.get(self.next + ahead).map(|token| &token.kind)
    }

    fn span(&self) -> Span {
        self.tokens[self.next].span
    }

    fn take(&mut self) -> Span {
        let span = self.span();
        self.next += 1;
        span
    }

    fn accept(&mut self, wanted: &TokenKind) -> bool {
        let found = self.kind() == wanted;
        if found {
            self.next += 1;
        }
        found
    }

    fn expect(&mut self, wanted: &TokenKind, expected: &'static str) -> Result<Span> {
        if self.kind() == wanted { Ok(self.take()) } else { Err(self.unexpected(expected)) }
    }

    fn name(&mut self, expected: &'static str) -> Result<Span> {
        self.expect(&TokenKind::Name, expected)
    }

    fn word(&self, span: Span) -> Arc<str> {
        Arc::from(&self.text[span.start..span.end])
    }

    fn unexpected(&self, expected: &'static str) -> ParseError {
        let span = self.span();
        let found = match self.kind() {
            TokenKind::End => "the end of the expression".to_owned(),
            _ => format!("`{}`", &self.text[span.start..span.end]),
        };
        ParseError { kind: ParseErrorKind::Unexpected { expected, found }, span }
    }
}

"""
How the runtime calls a step: what it takes, and what it may give back.

A signature is read once, when its function is registered; `bind` and `result`
are on the path of every attempt.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, Final, get_args, get_origin

from attrs import frozen

from squidmesh.authoring.decode import reader_for
from squidmesh.authoring.encode import encode
from squidmesh.authoring.frames import Names
from squidmesh.authoring.hints import bare, function_hints, name_of, parts, union_of
from squidmesh.authoring.mismatch import ContractMismatch, Misfit
from squidmesh.authoring.scalars import Reader
from squidmesh.context import Context, TxContext, UndoContext
from squidmesh.results import StepResult

Function = Callable[..., object]

_CONTEXTS: Final = (Context, TxContext, UndoContext)
_NAMEABLE: Final = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}


class InvalidFunction(ValueError):  # named after what it reports
    """A function cannot be a step; the text says why."""


@frozen(kw_only=True)
class Input:
    """One parameter of a step."""

    name: str
    #: `Any` where nothing is annotated.
    hint: object
    required: bool
    #: Whether it can be given by position.
    positional: bool
    read: Reader


@frozen(kw_only=True)
class Signature:
    """What a function takes and gives."""

    #: Which context its first parameter asks for.
    context: type[Context] | None
    inputs: Mapping[str, Input]
    #: Whether `**kwargs` takes whatever else there is.
    open: bool
    #: The output's type, without `Retry | Defer | Fail`; `Any` where nothing is annotated.
    output: object
    is_async: bool
    #: How the function is called in messages.
    name: str

    @classmethod
    def of(cls, fn: Function, names: Names | None = None) -> "Signature":
        """
        Read a function.

        Raises:
            InvalidFunction: It has parameters that cannot be given by name, or its annotations
                cannot be resolved.
        """
        name = getattr(fn, "__name__", None) or type(fn).__name__
        try:
            hints = function_hints(fn, names)
            parameters = list(signature(fn).parameters.values())
        except (NameError, TypeError, ValueError) as exc:
            raise InvalidFunction(f"{name}() cannot be read: {exc}") from exc
        context = _context(parameters, hints)
        if context is not None:
            parameters = parameters[1:]
        inputs = {
            p.name: _input(name, p, hints.get(p.name, Any))
            for p in parameters
            if p.kind is not Parameter.VAR_KEYWORD
        }
        output, awaited = _output(hints.get("return", Any))
        return cls(
            context=context,
            inputs=inputs,
            open=any(p.kind is Parameter.VAR_KEYWORD for p in parameters),
            output=output,
            is_async=awaited or _is_coroutine(fn),
            name=name,
        )

    def bind(self, input: Mapping[str, object], *, whole: bool = False) -> dict[str, object]:
        """
        The keyword arguments that JSON values stand for.

        Args:
            input: Parameter → JSON value.
            whole: The input is the whole run context, of which the function takes what it names.

        Raises:
            ContractMismatch: A parameter is missing, unknown or of another type.
        """
        arguments: dict[str, object] = {}
        misfits: list[Misfit] = []
        for name, declared in self.inputs.items():
            if name in input:
                try:
                    arguments[name] = declared.read(input[name])
                except ContractMismatch as exc:
                    misfits.extend(m.under(name) for m in exc.problems)
            elif declared.required:
                expected = name_of(declared.hint)
                misfits.append(Misfit(path=(name,), expected=expected, kind="missing"))
        if len(arguments) < len(input) and not whole:
            extra = {k: v for k, v in input.items() if k not in self.inputs}
            if self.open:
                arguments.update(extra)
            else:
                known = f"{self.name}() takes {', '.join(self.inputs) or 'nothing'}"
                misfits.extend(Misfit(path=(k,), expected=known, kind="unknown") for k in extra)
        if misfits:
            raise ContractMismatch(misfits)
        return arguments

    def result(self, value: object) -> object:
        """
        The JSON form of what the function returned, checked against its return type.

        Raises:
            ContractMismatch: It is of another type, or has no JSON form.
        """
        return encode(value, self.output)


def _context(parameters: list[Parameter], hints: Mapping[str, object]) -> type[Context] | None:
    if not parameters:
        return None
    hint = bare(hints.get(parameters[0].name, Any))
    return next((kind for kind in _CONTEXTS if hint is kind), None)


def _input(function: str, parameter: Parameter, hint: object) -> Input:
    if parameter.kind not in _NAMEABLE:
        what = (
            "*" + parameter.name if parameter.kind is Parameter.VAR_POSITIONAL else parameter.name
        )
        raise InvalidFunction(f"{function}() takes {what} by position only; inputs go by name")
    return Input(
        name=parameter.name,
        hint=hint,
        required=parameter.default is Parameter.empty,
        positional=parameter.kind is Parameter.POSITIONAL_OR_KEYWORD,
        read=_late_reader(hint),
    )


def _late_reader(hint: object) -> Reader:
    """Compiled at the first call: hints of contracts may not be resolved yet."""
    found: list[Reader] = []

    def read(value: object) -> object:
        if not found:
            found.append(reader_for(hint))
        return found[0](value)

    return read


def _output(hint: object) -> tuple[object, bool]:
    """The output's type and whether it must be awaited."""
    awaited = get_origin(bare(hint)) in {Awaitable, Coroutine}
    if awaited:
        hint = get_args(bare(hint))[-1]
    kept = tuple(part for part in parts(hint) if not _is_result(part))
    return (union_of(kept) if kept else type(None)), awaited


def _is_result(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, StepResult)


def _is_coroutine(fn: Function) -> bool:
    return iscoroutinefunction(fn) or iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004

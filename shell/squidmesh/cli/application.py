"""
From names to things: `module:name` to a workflow or an application, a URL to a mesh.

Modules are looked for in the working directory first, as `python -m` does.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import isclass
from pathlib import Path
from types import ModuleType

from squidmesh.catalogue import Registrable, is_workflow
from squidmesh.config import FILE_NAME, URL_VARIABLE, Config
from squidmesh.mesh import Mesh
from squidmesh.opening import has_tables, shown
from squidmesh_core.errors import ConfigError, SquidmeshError, StorageError


def load(reference: str, option: str) -> object:
    """
    What `module` or `module:name` names; the name may have dots.

    Raises:
        ConfigError: There is no such module or name, or the module fails to load.
        DefinitionError: The module defines a workflow that is wrong.
    """
    module_name, separator, path = reference.partition(":")
    if not module_name or (separator and not path):
        raise wrong(option, f"expected module:name, not {reference!r}")
    found: object = import_named(module_name, option)
    for name in path.split(".") if path else ():
        try:
            found = getattr(found, name)
        except AttributeError:
            raise wrong(option, f"{module_name!r} has no {path!r}") from None
    return found


def import_named(name: str, option: str) -> ModuleType:
    """
    Import a module of the host.

    Raises:
        ConfigError: It is not there, or fails to load; the place is in the message.
        SquidmeshError: What the module's own use of squidmesh was refused with.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except SquidmeshError:
        raise
    except ModuleNotFoundError as exc:
        if exc.name is not None and (name == exc.name or name.startswith(f"{exc.name}.")):
            raise wrong(option, f"there is no module {name!r} here or installed") from None
        raise wrong(option, f"{name!r} needs the module {exc.name!r}, which is missing") from None
    except Exception as exc:
        raise wrong(option, f"{name!r} fails to load: {_said(exc)}") from exc


def open_mesh(
    config: Config,
    workflows: Sequence[Registrable] = (),
    *,
    must_exist: bool = False,
    fallback: str | None = None,
) -> Mesh:
    """
    The application's mesh, or one on the configured URL.

    Args:
        config: Where to look.
        workflows: What the command itself names.
        must_exist: Refuse to begin a journal, in a new file or in a database of somebody
            else's: the command needs one that is there.
        fallback: The URL to use where none is configured.

    Raises:
        ConfigError: There is no application and no URL, or they contradict each other.
        SquidmeshError: What `Mesh.open` raises.
    """
    registrable = list(workflows)
    if config.app is not None:
        app = load(config.app, "app")
        if callable(app) and not isclass(app):
            _check_no_url(config)
            app = _made(config.app, app)
        if isinstance(app, Mesh):
            _check_no_url(config)
            return app
        if not isinstance(app, ModuleType) and not is_workflow(app):
            kinds = "a Mesh (no AsyncMesh), a function that returns one, a module, or a workflow"
            raise wrong("app", f"{config.app!r} is {type(app).__name__}; expected {kinds}")
        registrable = [app, *(one for one in registrable if one is not app)]
    url = require_url(config, fallback)
    if must_exist:
        _check_exists(url)
        _check_begun(url, config)
    return Mesh.open(url, workflows=registrable)


def require_url(config: Config, fallback: str | None = None) -> str:
    """
    The configured URL.

    Raises:
        ConfigError: There is none.
    """
    url = config.url or fallback
    if url is None:
        where = f"--url, {URL_VARIABLE}, or url in [tool.squidmesh] of {FILE_NAME}"
        raise wrong("url", f"no journal is configured; give {where}")
    return url


def _made(name: str, make: Callable[[], object]) -> object:
    """
    What a function of the host returns.

    Raises:
        ConfigError: It raised; the place is in the message.
        SquidmeshError: What its own use of squidmesh was refused with.
    """
    try:
        return make()
    except SquidmeshError:
        raise
    except Exception as exc:
        raise wrong("app", f"{name!r} was called and raised {_said(exc)}") from exc


def _said(exc: Exception) -> str:
    """An exception of the host's, and the place where it was raised."""
    last = traceback.extract_tb(exc.__traceback__)[-1]
    return f"{type(exc).__name__}: {exc} ({last.filename}:{last.lineno})"


def _check_no_url(config: Config) -> None:
    if config.url_is_flag:
        raise wrong("url", "the application brings its own journal; leave out --url")


def _check_exists(url: str) -> None:
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite" or not rest.startswith("/"):
        return  # opening it says what is wrong with it
    name = rest.removeprefix("/")
    if name not in {"", ":memory:"} and not Path(name).exists():
        path = Path(name).absolute()
        raise StorageError(
            f"there is no file {path}; nothing was created", "storage_error", {"path": str(path)}
        )


def _check_begun(url: str, config: Config) -> None:
    if has_tables(url):
        return
    place = shown(url)
    # What may hold a password is not said again.
    typed = f" '{url}'" if place == url else " URL"
    command = f"squidmesh migrate{typed if config.url_is_flag else ''}"
    raise StorageError(
        f"{place} has no tables of squidmesh; nothing was created; `{command}` creates them",
        "schema_behind",
        {"found": 0, "command": command},
    )


def wrong(option: str, reason: str) -> ConfigError:
    """The refusal of an option, or of an argument."""
    details = {"option": option, "reason": reason}
    return ConfigError(f"{option}: {reason}", "invalid_option", details)

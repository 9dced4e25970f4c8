"""`twintill keys`: make, list and revoke API keys."""

import sys
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="API keys: make, list, revoke.")


@app.command()
def create(
    owner: Annotated[str, typer.Option(help="Who uses it: a person or a program.")],
    scopes: Annotated[
        str, typer.Option(help="Of read, collect, refund, admin; separated by commas.")
    ] = "read",
) -> None:
    """Make a key and print it, this once: only its hash is stored.

    Example: `twintill keys create --owner "shop backend" --scopes read,collect`
    """
    from twintill.cli.asking import ask
    from twintill.store import api_keys

    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    api_key_id, secret = ask(lambda db, scope: api_keys.create(db, scope, owner, wanted))
    print(secret)
    print(f"({api_key_id}: keep the key safe, it is not shown again)", file=sys.stderr)


@app.command(name="list")
def list_all() -> None:
    """All keys, without their secrets."""
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import api_keys

    rows = [
        (key.id, key.owner, ",".join(sorted(key.scopes)), key.created_at, key.revoked_at)
        for key in ask(api_keys.list_all)
    ]
    show(("id", "owner", "scopes", "created", "revoked"), rows)


@app.command()
def revoke(api_key_id: Annotated[str, typer.Argument(help="key_...")]) -> None:
    """Refuse a key from now on. Example: `twintill keys revoke key_4Yk9n2`"""
    from twintill.cli.asking import ask
    from twintill.store import api_keys

    ask(lambda db, scope: api_keys.revoke(db, scope, api_key_id))
    print(f"{api_key_id} is revoked.")

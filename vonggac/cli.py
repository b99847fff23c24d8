"""The ``vonggac`` command. Every subcommand imports only what it needs, so that the launcher stays small."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from vonggac.status import SERVICES

ROLES = ("province_desk", "unit_officer", "leader", "integrator")
DATA_DIR = Path(".vonggac")
PORT_BASE = 8700


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status (2 for wrong arguments)."""
    options = _parser().parse_args(arguments)
    return int(options.run(options) or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vonggac", description="Vọng Gác: từ vọng gác đến công an, và vào số liệu")
    commands = parser.add_subparsers(required=True, metavar="lệnh")
    _up(commands.add_parser("up", help="chạy toàn bộ hệ thống / run the whole system on embedded defaults"))
    serve = commands.add_parser("serve", help="chạy một dịch vụ / run one service, settings from the environment")
    serve.add_argument("service", choices=SERVICES)
    serve.set_defaults(run=_serve)
    status = commands.add_parser("status", help="tình trạng, số liệu / what runs and what is counted")
    status.add_argument("--data-dir", type=Path, default=DATA_DIR)
    status.set_defaults(run=_status)
    _token(commands.add_parser("token", help="mã truy cập / access tokens"))
    keys = commands.add_parser("keys", help="khoá ký / signing keys").add_subparsers(required=True, metavar="lệnh")
    create = keys.add_parser("create", help="tạo các khoá còn thiếu / make the keys that are missing")
    create.add_argument("--dir", type=Path, required=True)
    create.set_defaults(run=_keys)
    demo = commands.add_parser("demo", help="ghi tỉnh mẫu vào cơ sở dữ liệu / write the demo province")
    demo.add_argument("--keys-dir", type=Path, required=True)
    demo.set_defaults(run=_demo)
    simulate = commands.add_parser("simulate", help="vọng gác giả lập gửi tín hiệu / simulated posts send signals")
    simulate.add_argument("--keys-dir", type=Path, required=True)
    simulate.add_argument("--incidents-url", default=f"http://127.0.0.1:{PORT_BASE}")
    simulate.set_defaults(run=_simulate)
    return parser


def _up(parser: argparse.ArgumentParser) -> None:
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help="thư mục dữ liệu / where the data is kept")
    parser.add_argument("--port-base", type=int, default=PORT_BASE, help="incidents +0, notifications +1, reporting +2")
    parser.add_argument("--host", default="127.0.0.1", help="địa chỉ lắng nghe / address to listen on")
    parser.add_argument("--demo", action=flag, default=True, help="tỉnh mẫu Quảng Trị / the demo province")
    parser.add_argument("--simulate", action=flag, default=True, help="vọng gác giả lập / simulated posts")
    parser.add_argument("--ready-file", type=Path, help="ghi địa chỉ, mã, thiết bị khi sẵn sàng / JSON when ready")
    parser.set_defaults(run=_run_up)


def _token(parser: argparse.ArgumentParser) -> None:
    create = parser.add_subparsers(required=True, metavar="lệnh").add_parser("create", help="tạo mã / make a token")
    create.add_argument(
        "--keys-dir", type=Path, help="mặc định: của hệ thống ở --data-dir / default: the embedded one's"
    )
    create.add_argument("--data-dir", type=Path, default=DATA_DIR)
    create.add_argument("--role", choices=ROLES, default="province_desk")
    create.add_argument("--area", default="44")
    create.add_argument("--unit", help="mã đơn vị công an / code of the police unit (unit_officer)")
    create.add_argument("--commune", help="mã xã, phường / code of the commune (unit_officer)")
    create.add_argument("--name", help="tên người dùng mã / who will use it")
    create.add_argument("--hours", type=float, default=24)
    create.set_defaults(run=_create_token)


def _run_up(options: argparse.Namespace) -> int:
    from vonggac.supervise import LaunchError
    from vonggac.up import up

    if not 0 < options.port_base <= 65533:
        return _wrong("--port-base phải từ 1 đến 65533 / must be from 1 to 65533")
    try:
        return asyncio.run(up(options))
    except LaunchError as error:
        print(f"vonggac: {error}", file=sys.stderr)
        return 1


def _serve(options: argparse.Namespace) -> None:
    from importlib import import_module

    import_module(f"services.{options.service}.service").run()


def _status(options: argparse.Namespace) -> int:
    from vonggac.status import status

    return status(options.data_dir)


def _keys(options: argparse.Namespace) -> None:
    from foundation.chassis.identity import create_key

    for name in (*SERVICES, "vonggac"):
        create_key(options.dir, name)


def _create_token(options: argparse.Namespace) -> int:
    from foundation.chassis.identity import create_token

    folder = options.keys_dir or options.data_dir / "keys"
    if not (folder / "vonggac.key").exists():
        return _wrong(f"chưa có khoá ở {folder} / no keys there: vonggac keys create --dir …")
    if not 0 < options.hours <= 24 * 366:
        return _wrong("--hours phải trên 0 và tối đa một năm / must be above 0 and at most a year")
    if options.role == "unit_officer" and not options.unit:
        return _wrong("unit_officer cần --unit / needs --unit")
    print(
        create_token(
            folder, "vonggac", role=options.role, area=options.area, seconds=round(options.hours * 3600),
            sub=options.name, unit=options.unit, commune=options.commune,
        )
    )  # fmt: skip
    return 0


def _demo(options: argparse.Namespace) -> None:
    from vonggac.demo.seed import seed

    asyncio.run(seed(options.keys_dir))


def _simulate(options: argparse.Namespace) -> None:
    from vonggac.demo.seed import demo_secret
    from vonggac.demo.simulate import simulate

    asyncio.run(simulate(options.incidents_url, demo_secret(options.keys_dir)))


def _wrong(text: str) -> int:
    print(f"vonggac: {text}", file=sys.stderr)
    return 2

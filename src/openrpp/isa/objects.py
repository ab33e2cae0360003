"""Kernel objects: the published ELF form, read and written.

A kernel lives in an x86-64 relocatable ELF file as two data sections: `.text.<name>` holds the image and
`.rpp.info.<name>` one row of four 16-bit numbers per parameter (index, byte offset 4 * index, size 4, 0xBEEF). Images
carry no parameter names, so a published object gives p0, p1, ...; this writer adds a section `.rpp.names.<name>` (JSON)
that keeps them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from elftools.construct import ConstructError, Container  # pyright: ignore[reportPrivateImportUsage]
from elftools.elf.structs import ELFStructs

from openrpp.isa.fram import MAX_PARAMETERS, PARAMETER_BYTES
from openrpp.isa.program import Kernel, Parameter, from_words, parameters

TEXT: Final = ".text."
INFO: Final = ".rpp.info."
NAMES: Final = ".rpp.names."
MAGIC: Final = 0xBEEF
_ROW: Final = struct.Struct("<4H")
_HEADER_BYTES: Final = 64
_SECTION_BYTES: Final = 64
_WRITE_ALLOC: Final = 3


class ObjectError(ValueError):
    """A file is not a kernel object, or holds one that cannot be used; the sentence names file and reason."""


# --- reading -------------------------------------------------------------------------------------------------


@cache
def _structs() -> ELFStructs:
    structs = ELFStructs(little_endian=True, elfclass=64)
    structs.create_basic_structs()
    structs.create_advanced_structs("ET_REL", "EM_X86_64", "ELFOSABI_SYSV")
    return structs


def _parse(structure: Any, data: bytes, what: str) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", structure.parse(data))
    except ConstructError as error:  # pragma: no cover - the sizes are checked before
        raise ObjectError(f"{what} cannot be read: {error}") from None


def _check_ident(data: bytes) -> None:
    """Refuse what is not a whole 64-bit little-endian ELF header."""
    if not data.startswith(b"\x7fELF"):
        raise ObjectError("not an ELF file; a kernel object starts with the bytes 7F 45 4C 46")
    if len(data) < _HEADER_BYTES:
        raise ObjectError(f"truncated: the ELF header takes {_HEADER_BYTES} bytes, the file has {len(data)}")
    if data[4] != 2:
        kind = "a 32-bit ELF file" if data[4] == 1 else f"an ELF file of class {data[4]}"
        raise ObjectError(f"{kind}; kernel objects are 64-bit")
    if data[5] != 1:
        kind = "a big-endian ELF file" if data[5] == 2 else f"an ELF file of byte order {data[5]}"
        raise ObjectError(f"{kind}; kernel objects are little-endian")


def _check_machine(header: dict[str, Any]) -> None:
    machine, kind = header["e_machine"], header["e_type"]
    if machine != "EM_X86_64":
        name = machine.removeprefix("EM_").lower() if isinstance(machine, str) else f"number {machine}"
        raise ObjectError(f"machine type is {name}; kernel objects are x86_64 files that carry RPP images as data")
    if kind != "ET_REL":
        raise ObjectError(f"ELF type is {kind}; kernel objects are relocatable files (ET_REL)")


def _slice(data: bytes, offset: int, size: int, what: str) -> bytes:
    if offset + size > len(data):
        raise ObjectError(f"truncated: {what} ends at byte {offset + size}, the file has {len(data)}")
    return data[offset : offset + size]


def _sections(data: bytes) -> dict[str, bytes]:
    """Contents of the named sections that belong to kernels."""
    structs = _structs()
    header = _parse(structs.Elf_Ehdr, data, "the ELF header")
    _check_machine(header)
    count, each = header["e_shnum"], header["e_shentsize"]
    if count and each != _SECTION_BYTES:
        raise ObjectError(f"section headers of {each} bytes; a 64-bit ELF file has {_SECTION_BYTES}")
    table = _slice(data, header["e_shoff"], count * _SECTION_BYTES, "the section header table")
    rows: list[dict[str, Any]] = [
        _parse(structs.Elf_Shdr, table[at : at + _SECTION_BYTES], "a section header")
        for at in range(0, len(table), _SECTION_BYTES)
    ]
    if not rows:
        return {}
    if header["e_shstrndx"] >= count:
        raise ObjectError(f"the section name table is section {header['e_shstrndx']}, the file has {count}")
    names = rows[int(header["e_shstrndx"])]
    strings = _slice(data, names["sh_offset"], names["sh_size"], "the section name table")
    return _kernel_sections(data, rows, strings)


def _kernel_sections(data: bytes, rows: list[dict[str, Any]], strings: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for row in rows:
        name = strings[row["sh_name"] :].split(b"\0", 1)[0].decode("utf-8", "replace")
        if not name.startswith((TEXT, INFO, NAMES)):
            continue
        if row["sh_type"] != "SHT_PROGBITS" or row["sh_flags"] & 0x800:
            raise ObjectError(f"section '{name}' is not plain data")
        if name in found:
            raise ObjectError(f"section '{name}' stands in the file twice")
        found[name] = _slice(data, row["sh_offset"], row["sh_size"], f"section '{name}'")
    return found


def _check_rows(name: str, info: bytes) -> int:
    """Number of parameters that the info rows of a kernel declare."""
    if len(info) % _ROW.size:
        raise ObjectError(f"kernel '{name}': {len(info)} bytes of parameter rows are not a multiple of {_ROW.size}")
    count = len(info) // _ROW.size
    if count > MAX_PARAMETERS:
        raise ObjectError(f"kernel '{name}': {count} parameters; a launch passes at most {MAX_PARAMETERS}")
    for index, (position, offset, size, magic) in enumerate(_ROW.iter_unpack(info)):
        if magic != MAGIC:
            raise ObjectError(f"kernel '{name}': parameter row {index} ends in {magic:#06x} instead of {MAGIC:#06x}")
        wanted = (index, PARAMETER_BYTES * index, PARAMETER_BYTES)
        if (position, offset, size) != wanted:
            given = f"{position}, {offset}, {size}"
            raise ObjectError(
                f"kernel '{name}': parameter row {index} is ({given}) instead of ({', '.join(map(str, wanted))})"
            )
    return count


def _named(name: str, count: int, stored: bytes | None) -> tuple[Parameter, ...]:
    """Parameters with their stored names, or p0, p1, ... where the object has none."""
    if stored is None:
        return tuple(Parameter(f"p{index}") for index in range(count))
    try:
        rows: Any = json.loads(stored.decode("utf-8"))
        made = parameters((str(row[0]), str(row[1])) for row in rows)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ObjectError(f"kernel '{name}': the section of parameter names cannot be read: {error}") from None
    if len(made) != count:
        raise ObjectError(f"kernel '{name}': {len(made)} parameter names for {count} parameters")
    return made


def _kernel(name: str, sections: Mapping[str, bytes]) -> Kernel:
    image = sections[TEXT + name]
    if len(image) % 4:
        raise ObjectError(f"kernel '{name}': an image of {len(image)} bytes is not a whole number of 32-bit words")
    words = struct.unpack(f"<{len(image) // 4}I", image)
    count = _check_rows(name, sections[INFO + name])
    named = _named(name, count, sections.get(NAMES + name))
    try:
        return from_words(words, named, name)
    except ValueError as error:
        raise ObjectError(str(error)) from None


def parse_object(data: bytes) -> dict[str, Kernel]:
    """Kernels of an object's bytes by name, in file order. Raises ObjectError."""
    _check_ident(data)
    sections = _sections(data)
    names = [name.removeprefix(INFO) for name in sections if name.startswith(INFO)]
    if not names:
        raise ObjectError(f"no kernels inside; a kernel is a pair of sections '{TEXT}NAME' and '{INFO}NAME'")
    for name in names:
        if not name.isprintable() or not name:
            raise ObjectError(f"kernel name {name!r} is not printable text")
        if TEXT + name not in sections:
            raise ObjectError(f"kernel '{name}': section '{INFO}{name}' stands without '{TEXT}{name}'")
    return {name: _kernel(name, sections) for name in names}


def read_object(path: str | Path) -> dict[str, Kernel]:
    """Kernels of an object file by name, in file order.

    Raises:
        ObjectError: the file is missing, not an x86-64 relocatable ELF file, truncated, or a kernel in it is malformed.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ObjectError(f"{path}: {error.strerror or error}") from None
    try:
        return parse_object(data)
    except ObjectError as error:
        raise ObjectError(f"{path}: {error}") from None


# --- writing -------------------------------------------------------------------------------------------------


@dataclass
class _Strings:
    """A string table under construction."""

    data: bytearray = field(default_factory=lambda: bytearray(b"\0"))

    def add(self, text: str) -> int:
        """Byte offset of a string that is appended."""
        at = len(self.data)
        self.data += text.encode("utf-8") + b"\0"
        return at


@dataclass
class _Section:
    name: str
    data: bytes
    type: str = "SHT_PROGBITS"
    flags: int = 0
    link: int = 0
    info: int = 0
    align: int = 1
    each: int = 0


def _info_rows(kernel: Kernel) -> bytes:
    rows = range(len(kernel.params))
    return b"".join(_ROW.pack(index, PARAMETER_BYTES * index, PARAMETER_BYTES, MAGIC) for index in rows)


def _kernel_parts(name: str, kernel: Kernel) -> list[_Section]:
    names = json.dumps([[entry.name, entry.type] for entry in kernel.params]).encode()
    return [
        _Section(TEXT + name, kernel.image, flags=_WRITE_ALLOC, align=32),
        _Section(INFO + name, _info_rows(kernel), flags=_WRITE_ALLOC, align=32),
        _Section(NAMES + name, names),
    ]


def _symbol(structs: ELFStructs, name: int, section: int, size: int) -> bytes:
    kind = "STT_OBJECT" if section else "STT_NOTYPE"
    entry = Container(
        st_name=name,
        st_info=Container(bind="STB_LOCAL", type=kind),
        st_other=Container(local=0, visibility="STV_DEFAULT"),
        st_shndx=section or "SHN_UNDEF",
        st_value=0,
        st_size=size,
    )
    return structs.Elf_Sym.build(entry)


def _symbol_table(structs: ELFStructs, parts: list[_Section], strings: _Strings) -> bytes:
    """A null symbol, then `<name>` and `<name>_para` for every kernel, all local."""
    table = _symbol(structs, 0, 0, 0)
    for index, part in enumerate(parts, start=1):
        if part.name.startswith(TEXT):
            table += _symbol(structs, strings.add(part.name.removeprefix(TEXT)), index, len(part.data))
        elif part.name.startswith(INFO):
            table += _symbol(structs, strings.add(part.name.removeprefix(INFO) + "_para"), index, len(part.data))
    return table


def _header(structs: ELFStructs, offset: int, count: int) -> bytes:
    ident = Container(
        EI_MAG=[0x7F, 0x45, 0x4C, 0x46],
        EI_CLASS="ELFCLASS64",
        EI_DATA="ELFDATA2LSB",
        EI_VERSION="EV_CURRENT",
        EI_OSABI="ELFOSABI_SYSV",
        EI_ABIVERSION=0,
    )
    entry = Container(
        e_ident=ident,
        e_type="ET_REL",
        e_machine="EM_X86_64",
        e_version="EV_CURRENT",
        e_entry=0,
        e_phoff=0,
        e_shoff=offset,
        e_flags=0,
        e_ehsize=_HEADER_BYTES,
        e_phentsize=0,
        e_phnum=0,
        e_shentsize=_SECTION_BYTES,
        e_shnum=count,
        e_shstrndx=count - 1,
    )
    return structs.Elf_Ehdr.build(entry)


def _section_header(structs: ELFStructs, section: _Section, name: int, offset: int) -> bytes:
    entry = Container(
        sh_name=name,
        sh_type=section.type,
        sh_flags=section.flags,
        sh_addr=0,
        sh_offset=offset,
        sh_size=len(section.data),
        sh_link=section.link,
        sh_info=section.info,
        sh_addralign=section.align,
        sh_entsize=section.each,
    )
    return structs.Elf_Shdr.build(entry)


def _place(structs: ELFStructs, sections: list[_Section]) -> bytes:
    """Header, section contents at their alignment, section header table."""
    names, body, headers = _Strings(), bytearray(_HEADER_BYTES), bytearray(_SECTION_BYTES)
    offsets = [(section, names.add(section.name)) for section in sections]
    sections[-1].data = bytes(names.data)
    for section, name in offsets:
        body += bytes(-len(body) % section.align)
        headers += _section_header(structs, section, name, len(body))
        body += section.data
    body += bytes(-len(body) % 8)
    body[:_HEADER_BYTES] = _header(structs, len(body), len(sections) + 1)
    return bytes(body + headers)


def build_object(kernels: Mapping[str, Kernel]) -> bytes:
    """An object file's bytes; equal kernels give equal bytes. Raises ObjectError for a kernel that has no such form."""
    structs, strings = _structs(), _Strings()
    parts: list[_Section] = []
    for name, kernel in kernels.items():
        _check_kernel(name, kernel)
        parts += _kernel_parts(name, kernel)
    if not parts:
        raise ObjectError("no kernels to write")
    symbols = _symbol_table(structs, parts, strings)
    count = len(symbols) // 24
    parts.append(_Section(".note.GNU-stack", b""))
    parts.append(_Section(".symtab", symbols, "SHT_SYMTAB", link=len(parts) + 2, info=count, align=8, each=24))
    parts.append(_Section(".strtab", bytes(strings.data), "SHT_STRTAB"))
    parts.append(_Section(".shstrtab", b"", "SHT_STRTAB"))
    return _place(structs, parts)


def _check_kernel(name: str, kernel: Kernel) -> None:
    if not name or not name.isprintable() or not name.isascii():
        raise ObjectError(f"kernel name {name!r} is not printable ASCII text")
    try:
        from_words(kernel.words, kernel.params, name)
    except ValueError as error:
        raise ObjectError(str(error)) from None


def write_object(path: str | Path, kernels: Mapping[str, Kernel]) -> None:
    """Write kernels, by name, as an object file.

    Raises:
        ObjectError: the file cannot be written, or a kernel has no terminator, too many parameters or an unusable name.
    """
    data = build_object(kernels)
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise ObjectError(f"{path}: {error.strerror or error}") from None

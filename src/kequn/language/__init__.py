"""The portable SQL subset: parser, types, whitelist, compiler."""

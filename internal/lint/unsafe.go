package lint

import "strings"

// pinDir is the one package with a go:linkname (runtime.procPin).
const pinDir = "internal/pin"

// checkUnsafe keeps what the compiler does not check in few, small places.
func checkUnsafe(t *tree, say report) {
	for _, f := range t.files {
		inPlace := f.isTest || strings.HasSuffix(f.path, "_unsafe.go")
		for spec, name := range f.imports {
			// A linkname needs the blank import, which gives no access to
			// anything in the package.
			forLinkname := f.dir == pinDir && spec.Name != nil && spec.Name.Name == "_"
			if name == "unsafe" && !inPlace && !forLinkname {
				say(f.path, f.line(spec), "package unsafe belongs in *_unsafe.go files and tests")
			}
		}
		for _, group := range f.syntax.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname") && f.dir != pinDir {
					say(f.path, f.line(c), "go:linkname belongs in %s", pinDir)
				}
			}
		}
	}
}

// This file is empty. Its presence lets the compiler accept the functions
// without a body in pin_unsafe.go.

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/keystore"
	"github.com/varve-search/varve/internal/node"
)

// keystoreFlags say which key store a command works on.
type keystoreFlags struct{ file, config string }

func keystoreCommand() *cobra.Command {
	var flags keystoreFlags
	cmd := &cobra.Command{
		Use:   "keystore",
		Short: "Keep secrets of a server in an encrypted file",
		Long: `Keep secrets of a server, such as s3.client.default.secret_key, in an encrypted file:
varve.keystore beside the configuration file, or where the setting keystore.path says.

The password is empty unless one is given. A server takes it from the environment
variable VARVE_KEYSTORE_PASSWORD or from the file that VARVE_KEYSTORE_PASSWORD_FILE
names; the commands below do too, and else ask for it.

A running server reads the file again on POST /_nodes/reload_secure_settings.`,
		Example: `  varve keystore create
  varve keystore add s3.client.default.access_key
  printf %s "$SECRET" | varve keystore add --stdin s3.client.default.secret_key
  varve keystore list`,
	}
	cmd.PersistentFlags().StringVar(&flags.file, "keystore", "", "the file (default: what the configuration says)")
	cmd.PersistentFlags().StringVarP(&flags.config, "config", "c", "", "configuration file of the server (default varve.yml, if it is there)")
	cmd.AddCommand(keystoreCreate(&flags), keystoreAdd(&flags), keystoreAddFile(&flags), keystoreList(&flags), keystoreRemove(&flags), keystorePasswd(&flags))
	return cmd
}

func (f *keystoreFlags) path() (string, error) {
	if f.file != "" {
		return f.file, nil
	}
	cfg, err := node.LoadConfig(f.config, nil)
	if err != nil {
		return "", err
	}
	return node.KeystorePath(cfg), nil
}

// open opens the key store, and asks for its password where that is not empty. It returns the password too.
func (f *keystoreFlags) open() (*keystore.File, string, error) {
	path, err := f.path()
	if err != nil {
		return nil, "", err
	}
	password, given, err := keystore.EnvPassword()
	if err != nil {
		return nil, "", err
	}
	file, err := keystore.Open(path, password)
	if errors.Is(err, keystore.ErrPassword) && !given && term.IsTerminal(int(os.Stdin.Fd())) {
		if password, err = ask("Password of the key store: "); err != nil {
			return nil, "", err
		}
		file, err = keystore.Open(path, password)
	}
	if !given && password == "" {
		err = keystore.WithoutPassword(err)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", fmt.Errorf("there is no key store at %s; make one with [varve keystore create]", path)
	}
	return file, password, err
}

// ask reads a line from the terminal without showing it.
func ask(prompt string) (string, error) {
	fmt.Fprint(os.Stderr, prompt)
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return "", fmt.Errorf("read from the terminal: %w", err)
	}
	return string(b), nil
}

// newPassword asks twice, or reads one line where standard input is no terminal.
func newPassword(in io.Reader) (string, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return readSecret(in)
	}
	first, err := ask("New password: ")
	if err != nil {
		return "", err
	}
	second, err := ask("The same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

// maxSecret is how long a secret may be, in bytes.
const maxSecret = 1 << 20

// readSecret reads all of in, without the end of its last line.
func readSecret(in io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read from standard input: %w", err)
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("the secret is longer than %d bytes", maxSecret)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func keystoreCreate(flags *keystoreFlags) *cobra.Command {
	var protect bool
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a key store",
		Long:  "Make a key store without secrets. With --password it is protected by a password, asked for or read from standard input.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := flags.path()
			if err != nil {
				return err
			}
			password, given, err := keystore.EnvPassword()
			if err == nil && protect && !given {
				password, err = newPassword(cmd.InOrStdin())
			}
			if err != nil {
				return err
			}
			if _, err := keystore.Create(path, password); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Made "+path)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&protect, "password", "p", false, "protect it by a password")
	return cmd
}

func keystoreAdd(flags *keystoreFlags) *cobra.Command {
	var stdin, force bool
	cmd := &cobra.Command{
		Use:   "add NAME...",
		Short: "Add secrets",
		Long: `Add secrets, asking for each. With --stdin, or where standard input is no terminal,
one secret is read from there.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			file, password, err := flags.open()
			if err != nil {
				return err
			}
			stdin = stdin || !term.IsTerminal(int(os.Stdin.Fd()))
			if stdin && len(names) > 1 {
				return errors.New("standard input holds one secret, but several names were given")
			}
			for _, name := range names {
				if file.Has(name) && !force {
					return fmt.Errorf("there is a secret %s already; --force replaces it", name)
				}
				var value string
				if stdin {
					value, err = readSecret(cmd.InOrStdin())
				} else {
					value, err = ask("Secret " + name + ": ")
				}
				if err != nil {
					return err
				}
				if err := file.Set(name, value); err != nil {
					return err
				}
				if blob.UnknownSecret(name) {
					fmt.Fprintf(cmd.ErrOrStderr(), "Note: no repository reads a secret named %s.\n", name)
				}
			}
			return file.Save(password)
		},
	}
	cmd.Flags().BoolVarP(&stdin, "stdin", "x", false, "read the secret from standard input")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "replace a secret that is there")
	return cmd
}

func keystoreAddFile(flags *keystoreFlags) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "add-file NAME FILE",
		Short: "Add a secret that is a file's text",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			file, password, err := flags.open()
			if err != nil {
				return err
			}
			if file.Has(args[0]) && !force {
				return fmt.Errorf("there is a secret %s already; --force replaces it", args[0])
			}
			in, err := os.Open(args[1])
			if err != nil {
				return err
			}
			defer in.Close()
			value, err := readSecret(in)
			if err != nil {
				return err
			}
			if err := file.Set(args[0], value); err != nil {
				return err
			}
			return file.Save(password)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "replace a secret that is there")
	return cmd
}

func keystoreList(flags *keystoreFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the names of the secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, _, err := flags.open()
			if err != nil {
				return err
			}
			for _, n := range file.Names() {
				fmt.Fprintln(cmd.OutOrStdout(), n)
			}
			return nil
		},
	}
}

func keystoreRemove(flags *keystoreFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME...",
		Short: "Remove secrets",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			file, password, err := flags.open()
			if err != nil {
				return err
			}
			for _, n := range names {
				if err := file.Remove(n); err != nil {
					return err
				}
			}
			return file.Save(password)
		},
	}
}

func keystorePasswd(flags *keystoreFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "passwd",
		Short: "Change the password",
		Long:  "Change the password. The new one is asked for, or read from standard input where that is no terminal.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, _, err := flags.open()
			if err != nil {
				return err
			}
			password, err := newPassword(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return file.Save(password)
		},
	}
}
